import { describe, expect, it } from 'vitest';
import { commandLine } from '../../../../services/shared/process/command-line.ts';

describe('a command line', () => {
  it('is that of npm, unless heliograph started the script', () => {
    expect(commandLine('loadtest', ['--plan'], {})).toBe('npm run loadtest -- --plan');
    expect(commandLine('loadtest', [], {})).toBe('npm run loadtest');
    const env = { HELIOGRAPH_COMMAND: 'loadtest' };
    expect(commandLine('loadtest', ['--plan'], env)).toBe('heliograph loadtest --plan');
    expect(commandLine('simulate', ['--help'], env)).toBe('npm run simulate -- --help');
  });

  it('leaves out credentials in URLs', () => {
    const args = [
      '--relay=https://user:secret@a.example/x,https://token@b.example',
      '--webhook',
      'http://c.example/a@b',
    ];
    expect(commandLine('loadtest', args, {})).toBe(
      'npm run loadtest -- --relay=https://hidden@a.example/x,https://hidden@b.example --webhook http://c.example/a@b',
    );
  });

  it('can be pasted into a shell', () => {
    const args = ['--label', "it's $HOME", '', '--relay=http://[::1]:8080'];
    expect(commandLine('loadtest', args, {})).toBe(
      String.raw`npm run loadtest -- --label 'it'\''s $HOME' '' '--relay=http://[::1]:8080'`,
    );
  });
});
