import { type CompletedCommand, quoted, renderValueCases, valueFlagsOfProgram } from './completed-command.ts';

/** Renders a script for bash, also that of macOS, to be read with `eval`. */
export function renderBashCompletion(commands: readonly CompletedCommand[]): string {
  const values = renderValueCases(commands, (takes) => {
    if (takes === 'file') return 'generate=(-f) && compopt -o filenames 2>/dev/null';
    return takes === 'text' ? `generate=(-W '')` : `generate=(-W ${quoted(takes.join(' '))})`;
  });
  const words = commands.map(({ name, options, words: named }) => {
    const all = [...named.map(({ word }) => word), ...options.map(({ flag }) => flag)];
    return `  ${quoted(name)}) words=${quoted(all.join(' '))} ;;`;
  });
  return `# heliograph completion for bash: eval "$(heliograph completion bash)"
_heliograph() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command= words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
    ${valueFlagsOfProgram(commands)}) ((i++)) ;;
    -*) ;;
    *) command=\${COMP_WORDS[i]} && break ;;
    esac
  done
  case $command in
${words.join('\n')}
  esac
  local generate=(-W "$words")
  case "$command $previous" in
${values}
  esac
  COMPREPLY=()
  while IFS= read -r i; do COMPREPLY+=("$i"); done < <(compgen "\${generate[@]}" -- "$current")
}
complete -F _heliograph heliograph
`;
}
