/** A process of its own that charges as it is told: `child.ts <store>`. */
import { type Opening, type Order, outcomeOf, type Provider } from './charge.ts'
import { openerOf, type StoreName } from './openers.ts'
import type { Moment } from './points.ts'
import { Remote } from './remote.ts'

const open = await openerOf(process.argv[2] as StoreName)
let opened: Awaited<ReturnType<typeof open>> | undefined

const harness = new Remote(process, {
  open: async (opening: Opening) => {
    opened = await open(opening, provider)
  },
  charge: async (order: Order) => opened && outcomeOf(opened.charge(order)),
  arm: (trap?: { statement: number; moment: Moment }) => opened?.statements?.arm(trap ?? undefined),
  heard: () => opened?.statements?.heard,
  close: async () => {
    await opened?.close()
  },
})

const provider: Provider = {
  charge: (order) => harness.call('charge', order),
  find: (key) => harness.call('find', key),
}

process.once('disconnect', () => process.exit())
await harness.call('ready')
