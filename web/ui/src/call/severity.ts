// What a log line says about itself, in the words that most programs use.

export type Severity = 'error' | 'warning' | 'debug' | 'plain';

export function severity(line: string): Severity {
  const head = line.slice(0, 160);
  if (/\b(FATAL|PANIC|CRITICAL|CRIT|EMERG|ALERT|ERROR|ERR)\b|level=(error|fatal|panic)|\[error\]|"level":"(error|fatal)"/.test(head)) return 'error';
  if (/\b(WARN|WARNING)\b|level=warn|\[warn(ing)?\]|"level":"warn/.test(head)) return 'warning';
  if (/\b(DEBUG|TRACE)\b|level=(debug|trace)/.test(head)) return 'debug';
  return 'plain';
}
