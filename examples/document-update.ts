// Many editors of one document: nobody's change is lost, and whoever reads gets a version to compare with.
import { memoryVersionedStore, optimisticUpdate } from 'concurrency-kit'

interface Page {
  readonly title: string
  readonly tags: readonly string[]
}

const pages = memoryVersionedStore<string, Page>({ rows: [['home', { title: 'Home', tags: [] }]] })
let runs = 0

const addTag = (tag: string) =>
  optimisticUpdate({ store: pages, id: 'home', maxAttempts: 50 }, async (page) => {
    runs += 1
    await new Promise(setImmediate)
    return { ...page, tags: [...page.tags, tag] }
  })

await Promise.all(['new', 'draft', 'ko', 'en', 'public'].map(addTag))
const page = await pages.read({ id: 'home', lock: false })
console.log(`tags: ${[...(page?.value.tags ?? [])].sort().join(', ')}`)
console.log(`version: ${page?.version}`)
console.log(`changes that met another and ran again: ${runs > 5 ? 'some' : 'none'}`)
