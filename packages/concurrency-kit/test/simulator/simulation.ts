import { Chance } from './chance.ts'
import { Invariants } from './invariants.ts'
import { checkKeysAreFree, checkNothingLeft } from './leaks.ts'
import { FAIR, Network } from './network.ts'
import { RemoteLockStore } from './remote-store.ts'
import type { PlannedCall, PlannedProcess, Scenario } from './scenario.ts'
import { SimulatedCall } from './simulated-call.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { SimulatedServer } from './simulated-server.ts'
import { strike } from './strike.ts'
import { World } from './world.ts'

/** By then everybody has had their turn, however unlucky. */
const END_OF_TIME_MS = 300_000
/** What was sent before the weather was fair has arrived by then, in ms. */
const LATE_MS = 1_000

/** A scenario at work: processes with stores of their own, one server, and the network between them. */
export class Simulation {
  readonly world: World
  readonly invariants: Invariants
  readonly scenario: Scenario
  readonly network: Network
  readonly server: SimulatedServer
  /** By process, the one that it has now. */
  readonly stores: RemoteLockStore[] = []
  readonly #opened: RemoteLockStore[] = []

  constructor(seed: number, scenario: Scenario) {
    this.world = new World(new Chance(seed).fork())
    this.scenario = scenario
    this.network = new Network(this.world)
    this.server = new SimulatedServer(this.world, { rate: scenario.serverRate, keys: scenario.keys })
    this.server.announce = (key) => this.#announce(key)
    this.invariants = new Invariants(this.world, this.server.ledger)
    for (const index of scenario.processes.keys()) this.openStore(index)
  }

  async run(): Promise<void> {
    const { world } = this
    const { calls, faults, weather, fairFromMs, commandMs } = this.scenario
    this.network.weather = weather
    for (const [index, call] of calls.entries()) world.after(call.startsAtMs, () => this.#call(`call ${index}`, call))
    for (const fault of faults) world.after(fault.atMs, () => strike(this, fault))
    let fair = false
    world.after(fairFromMs, () => {
      world.note('the weather is fair')
      this.network.weather = FAIR
      fair = true
    })
    if (!(await world.run(() => fair && this.#waiting().length === 0, END_OF_TIME_MS))) {
      const names = this.#waiting().map(({ name }) => name)
      if (world.violation === undefined) world.violated('nobody starves', `never heard of again: ${names}`)
    }
    await this.#pass(3 * commandMs + LATE_MS)
    for (const store of this.living()) checkNothingLeft(world, store)
    // What died with its process, or was granted to nobody, lasts for one TTL.
    await this.#pass(2 * Math.max(...calls.map(({ ttlMs }) => ttlMs)))
    for (const store of this.living()) if (!store.closed) await this.#checkKeys(store)
  }

  #waiting(): SimulatedCall[] {
    return [...this.invariants.calls].filter(({ store }) => store.environment.alive)
  }

  living(): RemoteLockStore[] {
    return this.#opened.filter(({ environment }) => environment.alive)
  }

  async #pass(ms: number): Promise<void> {
    let over = false
    this.world.after(ms, () => {
      over = true
    })
    await this.world.run(() => over, Number.POSITIVE_INFINITY)
  }

  async #checkKeys(store: RemoteLockStore): Promise<void> {
    let done = false
    void checkKeysAreFree(this.world, store, this.scenario.keys).then(() => {
      done = true
    })
    await this.world.run(() => done, Number.POSITIVE_INFINITY)
    await this.#pass(LATE_MS)
    checkNothingLeft(this.world, store)
  }

  #call(name: string, plan: PlannedCall): void {
    const store = this.stores[plan.process] as RemoteLockStore
    store.environment.enter(() => {
      void new SimulatedCall(name, plan, store, this.world, this.invariants).start()
    })
  }

  #announce(key: string): void {
    for (const store of this.stores) {
      if (store.watchers.get(key)?.size)
        this.network.send('store', store.name, `${key} may be free`, store.environment, () => store.hear(key))
    }
  }

  /** A process begins, or begins again. */
  openStore(index: number): void {
    const { world, network, server } = this
    const { processes, commandMs, handOff, acquiresOnce, calm } = this.scenario
    const name = `p${index}-${this.#opened.length}`
    const process = new SimulatedProcess(world, name, processes[index] as PlannedProcess)
    const options = { world, network, server, commandMs, handOff, acquiresOnce, mayFail: !calm }
    const store = new RemoteLockStore(process, options)
    this.#opened.push(store)
    this.stores[index] = store
  }
}
