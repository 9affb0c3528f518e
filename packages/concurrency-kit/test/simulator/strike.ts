import type { Weather } from './network.ts'
import type { PlannedFault, ProcessFault } from './planned-fault.ts'
import type { RemoteLockStore } from './remote-store.ts'
import type { Simulation } from './simulation.ts'

const STORM: Weather = { latencyMs: [1, 60], lost: 0.3, twice: 0.3, slow: 0.3, slowMs: 400 }

/** Lets a fault happen, and end when it is to. */
export function strike(simulation: Simulation, fault: PlannedFault): void {
  const { server } = simulation
  if (fault.process !== undefined) strikeProcess(simulation, fault)
  else if (fault.kind === 'server stalls') server.stop(fault.forMs)
  else if (fault.kind === 'server restarts') server.crash(fault.forMs, { withData: true })
  else if (fault.kind === 'server forgets') forget(simulation, fault.forMs)
  else if (fault.kind === 'server clock steps') server.stepClock(fault.byMs)
  else storm(simulation, fault.forMs)
}

function strikeProcess(simulation: Simulation, fault: ProcessFault): void {
  const store = simulation.stores[fault.process] as RemoteLockStore
  const { environment: process, name } = store
  if (!process.alive) return
  simulation.world.note(`${name}: ${fault.kind} ${'byMs' in fault ? fault.byMs : fault.forMs} ms`)
  if (fault.kind === 'stall') process.stop(fault.forMs, { suspended: false })
  else if (fault.kind === 'suspend') process.stop(fault.forMs, { suspended: true })
  else if (fault.kind === 'wall stands still') process.machine.holdWall(fault.forMs)
  else if (fault.kind === 'wall steps') process.machine.stepWall(fault.byMs)
  else if (fault.kind === 'cut') cut(simulation, name, fault)
  else {
    if (fault.kind === 'close') process.enter(() => void store.close())
    else process.die()
    simulation.world.after(fault.forMs, () => simulation.openStore(fault.process))
  }
}

function cut({ world, network }: Simulation, name: string, fault: ProcessFault & { kind: 'cut' }): void {
  const lines: [from: string, to: string][] = []
  if (fault.way !== 'replies') lines.push([name, 'store'])
  if (fault.way !== 'requests') lines.push(['store', name])
  for (const line of lines) network.cut(...line)
  world.after(fault.forMs, () => {
    for (const line of lines) network.mend(...line)
  })
}

function forget(simulation: Simulation, ms: number): void {
  const { world, server, scenario } = simulation
  server.crash(ms, { withData: false })
  if (!scenario.bound) return
  for (const store of simulation.living())
    world.after(world.chance.between(0, 5), () => store.environment.enter(() => store.connectionLost()))
}

function storm({ world, network }: Simulation, ms: number): void {
  const before = network.weather
  world.note(`a storm of ${ms} ms`)
  network.weather = STORM
  world.after(ms, () => {
    network.weather = before
  })
}
