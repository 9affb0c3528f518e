import type { Dialect } from './dialect.ts'

/** Whether a statement begins or ends a transaction; `ROLLBACK TO` a savepoint does neither. */
export type Control = 'begin' | 'end'

const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y
const COMMENT_MARK = /\/\*|\*\//g

/** How many words decide a statement's kind: `ROLLBACK WORK TO` needs three. */
const HEAD_WORDS = 3

/**
 * Classifies the first statement of `text` that begins or ends a transaction. Linear in the length of `text`.
 *
 * Skips quoted text, comments and the bodies of SQL functions (`BEGIN ATOMIC … END`).
 */
export function controlIn(text: string, dialect: Dialect['name']): Control | undefined {
  const single = !text.includes(';')
  let head: string[] = []
  let headIsOver = false
  let previous = ''
  let bodies = 0
  for (let at = 0; at < text.length; ) {
    if (single && headIsOver) break
    const char = text[at] as string
    const word = matchAt(WORD, text, at)
    if (word !== undefined) {
      at += word.length
      const keyword = word.toUpperCase()
      if (keyword === 'E' && text[at] === "'" && dialect === 'postgres') at = afterQuoted(text, at, "'", true)
      if (!headIsOver) headIsOver = head.push(keyword) === HEAD_WORDS
      if (keyword === 'ATOMIC' && previous === 'BEGIN') bodies += 1
      previous = keyword
    } else if (char === ';') {
      const control = controlOf(head)
      if (bodies === 0 && control !== undefined) return control
      if (bodies > 0 && head[0] === 'END') bodies -= 1
      head = []
      headIsOver = false
      at += 1
    } else if (text.startsWith('--', at)) at = after(text, '\n', at)
    else if (text.startsWith('/*', at)) at = afterComment(text, at, dialect)
    else {
      if (!/\s/.test(char)) headIsOver = true
      at = afterSign(text, at, char, dialect)
    }
  }
  return bodies === 0 ? controlOf(head) : undefined
}

function controlOf([first, second, third]: readonly string[]): Control | undefined {
  if (first === 'BEGIN' || (first === 'START' && second === 'TRANSACTION')) return 'begin'
  if (first === 'COMMIT' || first === 'END' || first === 'ABORT') return 'end'
  if (first === 'PREPARE') return second === 'TRANSACTION' ? 'end' : undefined
  if (first !== 'ROLLBACK') return undefined
  return second === 'TO' || ((second === 'WORK' || second === 'TRANSACTION') && third === 'TO') ? undefined : 'end'
}

/** The position after a character, or after the quoted text that it opens. */
function afterSign(text: string, at: number, char: string, dialect: Dialect['name']): number {
  if (char === "'" || char === '"') return afterQuoted(text, at, char)
  if (dialect === 'sqlite') {
    if (char === '`') return afterQuoted(text, at, char)
    return char === '[' ? after(text, ']', at) : at + 1
  }
  const tag = char === '$' ? matchAt(DOLLAR_TAG, text, at) : undefined
  return tag === undefined ? at + 1 : after(text, tag, at + tag.length)
}

function afterQuoted(text: string, at: number, quote: string, backslashEscapes = false): number {
  for (let next = at + 1; next < text.length; next += 1) {
    if (backslashEscapes && text[next] === '\\') next += 1
    else if (text[next] === quote) {
      if (text[next + 1] !== quote) return next + 1
      next += 1
    }
  }
  return text.length
}

/** Comments nest only on Postgres. */
function afterComment(text: string, at: number, dialect: Dialect['name']): number {
  if (dialect === 'sqlite') return after(text, '*/', at + 2)
  let open = 0
  COMMENT_MARK.lastIndex = at
  for (let mark = COMMENT_MARK.exec(text); mark !== null; mark = COMMENT_MARK.exec(text)) {
    open += mark[0] === '/*' ? 1 : -1
    if (open === 0) return COMMENT_MARK.lastIndex
  }
  return text.length
}

function after(text: string, end: string, from: number): number {
  const at = text.indexOf(end, from)
  return at === -1 ? text.length : at + end.length
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}
