{{- define "heliograph.labels" -}}
app.kubernetes.io/name: heliograph
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "heliograph.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The token of a first installation, which later ones read from the Secret `webhook`. */}}
{{- define "heliograph.token" -}}
{{- if not (hasKey .Values "generatedToken") }}
{{- $secret := lookup "v1" "Secret" .Release.Namespace "webhook" | default dict }}
{{- $known := dig "data" "WEBHOOK_TOKENS" "" $secret | b64dec }}
{{- $_ := set .Values "generatedToken" (default (randAlphaNum 32) $known) }}
{{- end }}
{{- .Values.generatedToken }}
{{- end }}

{{/* The variables of a Secret, as YAML: those of the values, with defaults that make an installation work. */}}
{{- define "heliograph.secret" -}}
{{- $own := index .root.Values.secrets .name }}
{{- $webhook := .root.Values.secrets.webhook }}
{{- $chat := .root.Values.secrets.chat }}
{{- if eq .name "outbox" }}
{{- if not (hasKey $own "DATABASE_URL") }}
{{- fail "secrets.outbox.DATABASE_URL must be set for an outbox, or secrets.create=false with a Secret named outbox" }}
{{- else if or (hasKey $own "WEBHOOK_TOKEN") (hasKey $own "WEBHOOK_SECRET") }}
{{- toYaml $own }}
{{- else if $webhook }}
{{- fail "secrets.outbox needs WEBHOOK_TOKEN or WEBHOOK_SECRET, a credential that secrets.webhook has" }}
{{- else }}
{{- merge (dict "WEBHOOK_TOKEN" (include "heliograph.token" .root)) $own | toYaml }}
{{- end }}
{{- else if $own }}
{{- toYaml $own }}
{{- else if and (eq .name "redis") .root.Values.redis.enabled }}
{{- dict "REDIS_URL" "redis://redis:6379" | toYaml }}
{{- else if eq .name "redis" }}
{{- fail "secrets.redis.REDIS_URL must be set, or redis.enabled, or secrets.create=false with a Secret named redis" }}
{{- else if and .root.Values.chat.enabled (or (eq .name "webhook") (eq .name "chat")) (or $webhook $chat) }}
{{- fail "secrets.webhook and secrets.chat must be set together: the chat needs a credential that the webhook accepts" }}
{{- else if eq .name "webhook" }}
{{- dict "WEBHOOK_TOKENS" (include "heliograph.token" .root) | toYaml }}
{{- else if eq .name "chat" }}
{{- dict "WEBHOOK_TOKEN" (include "heliograph.token" .root) | toYaml }}
{{- else }}
{{- dict | toYaml }}
{{- end }}
{{- end }}

{{/* The variables of a ConfigMap, as YAML. */}}
{{- define "heliograph.config" -}}
{{- $config := index .root.Values .name "config" | deepCopy }}
{{- if or .root.Values.ingress.enabled .root.Values.gateway.enabled }}
{{- if and (eq .name "relay") .root.Values.chat.enabled }}
{{- $config = merge $config (dict "ALLOWED_ORIGINS" (printf "https://%s" (include "heliograph.host" (dict "root" .root "name" "chat")))) }}
{{- else if eq .name "chat" }}
{{- $config = merge $config (dict "RELAY_PUBLIC_URL" (printf "https://%s" (include "heliograph.host" (dict "root" .root "name" "push")))) }}
{{- end }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- define "heliograph.host" -}}
{{- required (printf "hosts.%s must be set for an Ingress or a Gateway" .name) (index .root.Values.hosts .name) }}
{{- end }}

{{- define "heliograph.accountAndConfig" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  labels: {{- include "heliograph.labels" .name | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  labels: {{- include "heliograph.labels" .name | nindent 4 }}
data: {{- include "heliograph.config" . | nindent 2 }}
{{- end }}

{{- define "heliograph.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  labels: {{- include "heliograph.labels" .name | nindent 4 }}
spec:
  ipFamilyPolicy: PreferDualStack
  ports:
    - name: {{ .port }}
      port: {{ .number }}
      targetPort: {{ .port }}
  selector: {{- include "heliograph.labels" .name | nindent 4 }}
{{- end }}

{{- define "heliograph.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ . }}
  labels: {{- include "heliograph.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "heliograph.labels" . | nindent 6 }}
{{- end }}

{{/* Labels and annotations of a pod. The checksum makes a change of settings roll out. */}}
{{- define "heliograph.podMetadata" -}}
{{- $own := index .root.Values .name -}}
labels:
  {{- with $own.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- include "heliograph.labels" .name | nindent 2 }}
  {{- if .publisher }}
  heliograph-publisher: "true" # may call the webhook
  {{- end }}
annotations:
  {{- with $own.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  checksum/settings: {{ include "heliograph.settings" . | sha256sum }}
  {{- if not .root.Values.prometheusOperator.enabled }}
  prometheus.io/scrape: "true"
  prometheus.io/port: {{ .admin | quote }}
  prometheus.io/path: /metrics
  {{- end }}
{{- end }}

{{- define "heliograph.settings" -}}
{{- include "heliograph.config" . }}
{{- if .root.Values.secrets.create }}
{{- range .secrets }}
{{- include "heliograph.secret" (dict "root" $.root "name" .) }}
{{- end }}
{{- if eq .name "webhook" }}
{{- toJson .root.Values.secrets.sources }}
{{- end }}
{{- end }}
{{- end }}

{{/* The part of a pod's specification that all roles share: its account, and where it may run. */}}
{{- define "heliograph.pod" -}}
serviceAccountName: {{ .name }}
automountServiceAccountToken: false
# Otherwise the service `relay` would set RELAY_PORT=tcp://... in every pod, which collides with the setting.
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- $own := index .root.Values .name }}
{{- with $own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "heliograph.spread" -}}
# Spread, so that the loss of a machine or a zone affects few pods; but crowded is better than missing.
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels: {{- include "heliograph.labels" $.name | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "heliograph.securityContext" -}}
securityContext:
  runAsNonRoot: true
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{/* A container of the image: its role, settings, ports, probes and resources. */}}
{{- define "heliograph.container" -}}
{{- $own := index .root.Values .name -}}
name: {{ .name }}
image: {{ include "heliograph.image" .root }}
{{- with .root.Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
args: [{{ .name }}]
envFrom:
  - configMapRef:
      name: {{ .name }}
  {{- range .secrets }}
  - secretRef:
      name: {{ . }}
      {{- if has . $.optional }}
      optional: true
      {{- end }}
  {{- end }}
ports:
  {{- with .port }}
  - name: http
    containerPort: {{ . }}
  {{- end }}
  - name: admin
    containerPort: {{ .admin }}
{{ include "heliograph.securityContext" . }}
startupProbe:
  httpGet:
    port: admin
    path: /livez
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet:
    port: admin
    path: /livez
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ .lives }}
readinessProbe:
  httpGet:
    port: admin
    path: /readyz
  periodSeconds: {{ .readyS | default 2 }}
  timeoutSeconds: 5
  failureThreshold: 1
resources: {{- toYaml $own.resources | nindent 2 }}
{{- with $own.resizePolicy }}
resizePolicy: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
