import { expect, test } from 'vitest'
import { KeysBeside, slotOf } from '../../src/ioredis/slots.ts'

const client = (options = {}, isCluster = true) => ({
  isCluster,
  options,
  eval: async () => {},
  evalsha: async () => {},
})
const braced = ['{', '}', '{}', '{}x', 'a}b', 'a{}b', 'a{b}c', '{a}{b}', '}{', '{{a}}', 'a{', '{한글}🔒', 'plain']

test('L26: the slot of a key is that of its tag, or of the whole key where the tag is empty or open', () => {
  // From the Cluster specification, and `CLUSTER KEYSLOT`.
  expect(slotOf('123456789')).toBe(0x31c3)
  expect(slotOf('foo')).toBe(12_182)
  expect(slotOf('{user1000}.following')).toBe(slotOf('user1000'))
  expect(slotOf('foo{{bar}}zap')).toBe(slotOf('{bar'))
  expect(slotOf('foo{bar}{zap}')).toBe(slotOf('bar'))
  expect(slotOf('foo{}{bar}')).not.toBe(slotOf('bar'))
})

test('L26: the keys beside a key are in its slot, whatever braces it or the prefix has', () => {
  for (const keyPrefix of [undefined, 'app:', '{app}:', 'app{', 'app}', 'a}{']) {
    const beside = new KeysBeside(client({ keyPrefix }))
    for (const key of braced) {
      const slot = slotOf(`${keyPrefix ?? ''}${key}`)
      for (const name of ['fencing-tokens', `waiting:${key}`]) {
        expect(slotOf(`${keyPrefix ?? ''}${beside.name(key, name)}`), `${keyPrefix} ${key}`).toBe(slot)
      }
    }
  }
})

test('L26: a prefix that would have every key in a slot of its own is refused on a Cluster', () => {
  expect(() => new KeysBeside(client({ keyPrefix: 'app{}' }))).toThrow(
    'client.options.keyPrefix must not have an empty hash tag, but is "app{}"',
  )
  new KeysBeside(client({ keyPrefix: 'app{}' }, false))
})

test('on a single server there are no tags: one counter for all keys', () => {
  const beside = new KeysBeside(client({}, false))
  expect(new Set(braced.map((key) => beside.name(key, 'fencing-tokens')))).toEqual(
    new Set(['concurrency-kit:fencing-tokens']),
  )
})
