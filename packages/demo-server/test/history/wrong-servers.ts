import { ModelServer } from './model.ts'

/** A model server that goes wrong once, in a way that those who get its answers can see. */
abstract class WrongServer extends ModelServer {
  wentWrong = false
  #chances: number

  /** @param chances - How many it lets pass. */
  constructor(chances: number) {
    super()
    this.#chances = chances
  }

  protected goesWrong(): boolean {
    if (this.wentWrong) return false
    this.wentWrong = this.#chances === 0
    this.#chances -= 1
    return this.wentWrong
  }
}

/** A charge reads what the one before it read, and both write. */
class LostUpdate extends WrongServer {
  readonly #before = new Map<number, number>()

  protected override add(user: number, key: string, amount: number, from: number): string {
    const before = this.#before.get(user)
    this.#before.set(user, from)
    return super.add(user, key, amount, before !== undefined && this.goesWrong() ? before : from)
  }
}

class DoubleCharge extends WrongServer {
  override charge(user: number, key: string, amount: number, heard: boolean): string {
    if (this.records.has(key) && this.goesWrong()) this.balances.set(user, this.read(user) + amount)
    return super.charge(user, key, amount, heard)
  }
}

class ForgottenKey extends WrongServer {
  override charge(user: number, key: string, amount: number, heard: boolean): string {
    if (this.records.has(key) && this.goesWrong()) this.records.delete(key)
    return super.charge(user, key, amount, heard)
  }
}

class OtherAnswer extends WrongServer {
  readonly #heard = new Set<string>()

  override charge(user: number, key: string, amount: number, heard: boolean): string {
    const answer = super.charge(user, key, amount, heard)
    if (heard && this.#heard.has(key) && this.goesWrong()) return answer.replace('charge', 'Charge')
    if (heard) this.#heard.add(key)
    return answer
  }
}

/** As with a database that was put back to an earlier state. */
class LostCharge extends WrongServer {
  override charge(user: number, key: string, amount: number, heard: boolean): string {
    const before = this.read(user)
    const isNew = !this.records.has(key)
    const answer = super.charge(user, key, amount, heard)
    if (isNew && heard && this.goesWrong()) {
      this.balances.set(user, before)
      this.records.delete(key)
    }
    return answer
  }
}

class UnpaidCharge extends WrongServer {
  protected override add(user: number, key: string, amount: number, from: number): string {
    const answer = super.add(user, key, amount, from)
    if (this.goesWrong()) this.balances.set(user, from)
    return answer
  }
}

class OtherUser extends WrongServer {
  protected override add(user: number, key: string, amount: number, from: number): string {
    return super.add(this.goesWrong() ? user + 1 : user, key, amount, from)
  }
}

export const wrongServers = {
  'a lost update': LostUpdate,
  'a double charge that is answered as the first': DoubleCharge,
  'a double charge that is answered anew': ForgottenKey,
  'a replay with another answer': OtherAnswer,
  'an acknowledged charge that is lost': LostCharge,
  'an acknowledged charge whose money never comes': UnpaidCharge,
  "a charge of another user's account": OtherUser,
}
