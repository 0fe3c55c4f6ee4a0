import { type CompletedCommand, quoted, renderValueCases, valueFlagsOfProgram } from './completed-command.ts';

/** Renders a script for zsh, to be read with `eval` after `compinit`. */
export function renderZshCompletion(commands: readonly CompletedCommand[]): string {
  const values = renderValueCases(commands, (takes) => {
    if (takes === 'file') return '_files && return';
    return takes === 'text' ? '_message value && return' : `compadd -- ${takes.join(' ')} && return`;
  });
  const list = (entries: readonly (readonly [word: string, text: string])[]) =>
    entries.map(([word, text]) => `    ${quoted(`${word}:${text}`)}`).join('\n');
  const described = commands.map(
    ({ name, options, words }) => `  ${quoted(name)})
    all_words=(
${list(words.map(({ word, description }) => [word, description]))}
    )
    all_options=(
${list(options.map(({ flag, description }) => [flag, description]))}
    ) ;;`,
  );
  return `# heliograph completion for zsh, after compinit: eval "$(heliograph completion zsh)"
_heliograph() {
  local command= i
  local -a all_words all_options
  for ((i = 2; i < CURRENT; i++)); do
    case $words[i] in
    ${valueFlagsOfProgram(commands)}) ((i++)) ;;
    -*) ;;
    *) command=$words[i] && break ;;
    esac
  done
  case "$command $words[CURRENT - 1]" in
${values}
  esac
  case $command in
${described.join('\n')}
  esac
  (($#all_words)) && _describe word all_words
  _describe -o option all_options
}
compdef _heliograph heliograph
`;
}
