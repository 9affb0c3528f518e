import { httpContract } from './http-contract.ts'
import { embedded } from './support/backing.ts'

httpContract(embedded)
