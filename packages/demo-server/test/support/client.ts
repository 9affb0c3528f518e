import { connect } from 'node:net'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: what came, to be compared
  readonly json: any
}

export async function get(url: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url + path, init)
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text ? JSON.parse(text) : undefined,
  }
}

/** Sends `body` as it is where it is a string. */
export function charge(
  url: string,
  userId: number | string,
  body: unknown,
  headers: Record<string, string> = {},
  signal: AbortSignal | null = null,
): Promise<Answer> {
  return get(url, `/api/users/${userId}/balance/charge`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal,
  })
}

export async function balanceOf(url: string, userId: number): Promise<number> {
  return (await get(url, `/api/users/${userId}/balance`)).json.balance
}

/** Sends bytes that no HTTP client would; the answer is the first that comes back. */
export async function sendRaw(
  url: string,
  bytes: string | readonly string[],
  encoding: BufferEncoding = 'latin1',
): Promise<Answer> {
  return answerIn(await exchange(url, bytes, encoding))
}

/** Resolves to all that comes back until the server hangs up. */
function exchange(url: string, bytes: string | readonly string[], encoding: BufferEncoding): Promise<Buffer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', (error) => (chunks.length === 0 ? reject(error) : resolve(Buffer.concat(chunks))))
    socket.on('close', () => resolve(Buffer.concat(chunks)))
    for (const part of [bytes].flat()) socket.write(part, encoding)
  })
}

/**
 * Posts all `bodies` over one connection without awaiting an answer, and resolves to the answers' statuses. The server
 * gets them in one piece: no other way of sending has so many requests begin at once however busy the machine is.
 */
export async function pipeline(url: string, path: string, bodies: readonly string[]): Promise<number[]> {
  const head = (body: string, index: number) => [
    `POST ${path} HTTP/1.1`,
    'host: localhost',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `connection: ${index === bodies.length - 1 ? 'close' : 'keep-alive'}`,
  ]
  const requests = bodies.map((body, index) => `${head(body, index).join('\r\n')}\r\n\r\n${body}`)
  const answers = await exchange(url, requests.join(''), 'utf8')
  return [...answers.toString().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))
}

/** The first answer in what came over a connection; a `100 Continue` before it is none. */
function answerIn(bytes: Buffer): Answer {
  const parts = bytes.toString().split('\r\n\r\n')
  const [head = '', ...rest] = parts[0]?.startsWith('HTTP/1.1 1') ? parts.slice(1) : parts
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Headers(lines.map((line) => line.split(/:\s*/, 2) as [string, string]))
  const text = rest.join('\r\n\r\n').slice(0, Number(headers.get('content-length') ?? 0))
  return { status: Number(statusLine.split(' ')[1]), headers, text, json: text ? JSON.parse(text) : undefined }
}
