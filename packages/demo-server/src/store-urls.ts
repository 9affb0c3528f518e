import { ConfigError } from './config-error.ts'

/** Where the accounts and records are. */
export type DatabaseLocation =
  /** Path of the SQLite file, relative to the working directory. */
  { readonly engine: 'sqlite'; readonly file: string } | { readonly engine: 'postgres'; readonly url: string }

interface Endpoint {
  readonly host: string
  readonly port: number
}

interface Access {
  readonly username?: string
  readonly password?: string
  /** Connect by TLS. */
  readonly tls?: true
}

/** Where the locks are. */
export type LocksLocation =
  | { readonly kind: 'in-process' }
  | { readonly kind: 'single'; readonly url: string }
  | { readonly kind: 'quorum'; readonly urls: readonly string[] }
  | ({ readonly kind: 'sentinel'; readonly sentinels: readonly Endpoint[]; readonly master: string } & Access)
  | ({ readonly kind: 'cluster'; readonly nodes: readonly Endpoint[] } & Access)

const FORMS =
  'REDIS_URL must be one redis:// or rediss:// URL, an odd number of at least 3 of them with commas between, ' +
  'redis+sentinel://host:port,…/master-name, or redis+cluster://host:port,…'

/**
 * Reads `DATABASE_URL`; its value is not repeated in a message, as it may carry a password.
 *
 * @throws ConfigError
 */
export function databaseLocation(url: string): DatabaseLocation {
  if (/^postgres(ql)?:/.test(url)) {
    if (isUrl(url, /^postgres(ql)?:$/)) return { engine: 'postgres', url }
    throw new ConfigError('DATABASE_URL must be postgres://user:password@host:port/database, and is no URL')
  }
  const file = /^sqlite:(?:\/\/(?=\/))?(?!\/\/)([^?#]+)$/.exec(url)?.[1]
  if (file === undefined) {
    throw new ConfigError('DATABASE_URL must be sqlite:<path of a file>, or a postgres:// URL')
  }
  if (file === ':memory:') {
    throw new ConfigError('DATABASE_URL must name a file: what is in :memory: does not outlive a restart')
  }
  return { engine: 'sqlite', file }
}

/**
 * Reads `REDIS_URL`, whose values are not repeated either; unset, the locks are of this process.
 *
 * @throws ConfigError
 */
export function locksLocation(text: string | undefined): LocksLocation {
  if (text === undefined || text === '') return { kind: 'in-process' }
  const several = /^redis(s)?\+(sentinel|cluster):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/]+)(?:\/(.*))?$/.exec(text)
  if (several === null) return separateServers(text.split(',').map((url) => url.trim()))
  const [, secure, kind, username, password, hosts = '', path = ''] = several
  const access = {
    ...(username && { username: unescaped(username) }),
    ...(password && { password: unescaped(password) }),
    ...(secure && { tls: true as const }),
  }
  const endpoints = hosts.split(',').map(endpoint)
  if (kind === 'cluster' && path === '') return { kind, nodes: endpoints, ...access }
  if (kind === 'sentinel' && /^[^/?#]+$/.test(path)) {
    return { kind, sentinels: endpoints, master: unescaped(path), ...access }
  }
  throw new ConfigError(FORMS)
}

function separateServers(urls: readonly string[]): LocksLocation {
  if (!urls.every((url) => isUrl(url, /^rediss?:$/))) throw new ConfigError(FORMS)
  const [url = ''] = urls
  if (urls.length === 1) return { kind: 'single', url }
  if (urls.length % 2 === 0) {
    throw new ConfigError(
      `REDIS_URL must name an odd number of at least 3 servers for a quorum, but names ${urls.length}`,
    )
  }
  if (new Set(urls.map(serverOf)).size < urls.length) {
    throw new ConfigError('REDIS_URL must name different servers for a quorum, but names one twice')
  }
  return { kind: 'quorum', urls }
}

function serverOf(url: string): string {
  const { hostname, port } = new URL(url)
  return `${hostname}:${port || 6379}`
}

function isUrl(text: string, protocol: RegExp): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url !== undefined && url.hostname !== '' && protocol.test(url.protocol)
}

function endpoint(text: string): Endpoint {
  const [, host, port] = /^(\[[^\]]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(port) > 65_535) throw new ConfigError(FORMS)
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ConfigError(FORMS)
  }
}
