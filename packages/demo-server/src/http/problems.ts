/** One way of not doing what was asked, as the client sees it. */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly message: { readonly ko: string; readonly en: string }
  readonly retryAfterSeconds?: number
}

/** A request that is refused with `problem`. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.message.en)
    this.problem = problem
  }
}

const badRequest = (ko: string, en: string, status = 400): Problem => ({
  status,
  code: 'COMMON002',
  message: { ko, en },
})

const retryLater = (status: number, code: string, ko: string, en: string): Problem => ({
  status,
  code,
  message: { ko, en },
  retryAfterSeconds: 1,
})

/** Every answer that is not a success. */
export const problems = {
  keyMissing: badRequest('멱등성 키는 필수입니다', 'An idempotency key is required'),
  keyTooLong: badRequest(
    '멱등성 키는 100자를 초과할 수 없습니다',
    'The idempotency key must not be longer than 100 characters',
  ),
  keyNoString: badRequest('idempotencyKey는 문자열이어야 합니다', 'idempotencyKey must be a string'),
  keyUnstorable: badRequest(
    '멱등성 키에 NUL 또는 짝이 없는 서로게이트를 사용할 수 없습니다',
    'The idempotency key must not contain NUL or a lone surrogate',
  ),
  keyHeaderMalformed: badRequest(
    'Idempotency-Key 헤더는 따옴표로 감싼 RFC 8941 문자열이거나 공백과 , ; " 없는 ASCII 문자열이어야 합니다',
    'The Idempotency-Key header must be one quoted RFC 8941 string, or bare ASCII without spaces and , ; "',
  ),
  keysDiffer: badRequest(
    'Idempotency-Key 헤더와 idempotencyKey 필드의 값이 서로 다릅니다',
    'The Idempotency-Key header and the field idempotencyKey differ',
  ),
  amountMissing: badRequest('충전 금액은 필수입니다', 'An amount is required'),
  amountNoNumber: badRequest('amount는 숫자여야 합니다', 'amount must be a number'),
  amountTooSmall: badRequest('충전 금액은 1원 이상이어야 합니다', 'The amount must be at least 1'),
  amountNotWhole: badRequest('충전 금액은 정수여야 합니다', 'The amount must be a whole number'),
  amountTooLarge: badRequest(
    '충전 금액은 9007199254740991원을 초과할 수 없습니다',
    'The amount must not exceed 9007199254740991',
  ),
  userIdInvalid: badRequest(
    'userId는 1 이상 9007199254740991 이하의 정수여야 합니다',
    'userId must be a whole number from 1 to 9007199254740991, without sign or leading zeros',
  ),
  bodyNotJson: badRequest('요청 본문이 올바른 JSON이 아닙니다', 'The body is not valid JSON in UTF-8'),
  bodyNoObject: badRequest('요청 본문은 JSON 객체여야 합니다', 'The body must be a JSON object'),
  bodyDuplicateNames: badRequest(
    '요청 본문에 같은 이름의 필드가 두 번 이상 있습니다',
    'The body has two fields of the same name',
  ),
  bodyLengthWrong: badRequest(
    '요청 본문의 길이가 Content-Length와 다릅니다',
    'The body is not as long as Content-Length says',
  ),
  bodyTooLarge: badRequest('요청 본문이 너무 큽니다', 'The body is too large', 413),
  bodyNoJsonType: badRequest(
    'Content-Type은 application/json이어야 합니다',
    'Content-Type must be application/json',
    415,
  ),
  urlInvalid: badRequest('URL 인코딩이 올바르지 않습니다', 'The URL has an invalid escape'),
  urlTooLong: badRequest('URL이 너무 깁니다', 'The URL is too long', 414),
  headersTooLarge: badRequest('요청 헤더가 너무 큽니다', 'The headers are too large', 431),
  hostMissing: badRequest('Host 헤더는 필수입니다', 'The Host header is required'),
  expectationUnknown: badRequest('지원하지 않는 Expect 헤더입니다', 'The Expect header is not supported', 417),
  requestTooSlow: badRequest('요청 수신 시간이 초과되었습니다', 'The request did not arrive in time', 408),
  requestMalformed: badRequest('올바른 HTTP 요청이 아닙니다', 'The request is not valid HTTP'),
  /** Counted, though nobody is left to read it. */
  clientGone: badRequest('클라이언트 연결이 종료되었습니다', 'The client went away', 499),
  requestInvalid: badRequest('잘못된 요청입니다', 'The request is not valid'),
  pathUnknown: {
    status: 404,
    code: 'COMMON003',
    message: { ko: '리소스를 찾을 수 없습니다', en: 'Resource not found' },
  },
  userUnknown: { status: 404, code: 'U001', message: { ko: '사용자를 찾을 수 없습니다', en: 'User not found' } },
  balanceTooLarge: {
    status: 400,
    code: 'U002',
    message: { ko: '충전 금액이 올바르지 않습니다', en: 'The amount cannot be charged' },
  },
  lockUnavailable: retryLater(
    409,
    'PAY003',
    '다른 동일 요청이 처리 중입니다. 잠시 후 다시 시도해주세요',
    'Another request for the same balance is being processed. Please try again later',
  ),
  keyInProgress: retryLater(409, 'COMMON004', '이미 처리 중인 요청입니다', 'The request is already being processed'),
  versionConflict: retryLater(
    409,
    'COMMON005',
    '동시 요청으로 인해 처리에 실패했습니다. 잠시 후 다시 시도해주세요',
    'The request failed because of concurrent requests. Please try again later',
  ),
  keyReused: {
    status: 422,
    code: 'COMMON006',
    message: {
      ko: '같은 멱등성 키가 다른 요청에 사용되었습니다',
      en: 'The idempotency key was used for a different request',
    },
  },
  unavailable: retryLater(
    503,
    'COMMON007',
    '일시적으로 처리할 수 없습니다. 잠시 후 다시 시도해주세요',
    'The request cannot be processed at the moment. Please try again later',
  ),
  unforeseen: {
    status: 500,
    code: 'COMMON001',
    message: { ko: '서버 내부 오류가 발생했습니다', en: 'Internal server error' },
  },
} as const satisfies Record<string, Problem>
