import { StoreError } from '../../errors.ts'
import { shown } from '../../options.ts'
import type { Row, Statement } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'

/** What the catalog says of a table. */
export interface TableShape {
  /** Types of the columns, such as `jsonb`, by the names that the database has. On SQLite values have types, columns none. */
  readonly types: ReadonlyMap<string, string>
  /** Whether an index keeps two rows from having the same id. */
  readonly uniqueId: boolean
}

export interface ShapeQuestion {
  /** The option, for errors. */
  readonly table: string
  /** Quoted, with its schema. */
  readonly sql: string
  /** Quoted. */
  readonly ids: readonly string[]
  /** Quoted. */
  readonly versionColumn: string | undefined
}

/** A name as the database has it, of one that is quoted. */
export function bare(quotedName: string): string {
  return quotedName.replace(/^["`](.*)["`]$/, '$1')
}

/** Asks for the {@link TableShape}: one row, or none where there is no such table. All in text, whatever a client's parsers are. */
export function shapeStatement({ sql, ids }: ShapeQuestion, { name }: Dialect): Statement {
  if (name === 'postgres') return { sql: POSTGRES, bindings: [ids.map(bare), sql] }
  const [table = '', schema = null] = sql.split('.').map(bare).reverse()
  return { sql: SQLITE, bindings: [table, schema] }
}

/** @throws StoreError for a table that cannot have versioned rows. */
export function shapeOf(row: Row | undefined, { table, versionColumn }: ShapeQuestion): TableShape | undefined {
  if (row === undefined) return undefined
  if (row['kind'] === 'view') {
    throw new StoreError(
      `${shown(table)} is a view: whether a write through it is stored cannot be seen; take the table that it shows`,
    )
  }
  const types = new Map(Object.entries<string>(JSON.parse(String(row['types']))))
  const versionType = versionColumn && types.get(bare(versionColumn))
  if (versionType === 'real' || versionType === 'double precision') {
    throw new StoreError(
      `column ${shown(bare(versionColumn as string))} of ${shown(table)} is of type ${versionType}, which is no version: past 2^24 a real one no longer counts; take a column of whole numbers`,
    )
  }
  return { types, uniqueId: row['uniqueid'] === 'yes' }
}

const SQLITE = `SELECT type AS kind, '{}' AS types, 'no' AS uniqueid FROM pragma_table_list
  WHERE name = ? COLLATE NOCASE AND schema = coalesce(?, schema) COLLATE NOCASE ORDER BY schema <> 'temp', schema <> 'main' LIMIT 1`

/** A domain counts as what it is of. A parent's index says nothing of tables that inherit from it. */
const POSTGRES = `SELECT CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END AS kind,
  (SELECT json_object_agg(a.attname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL))::text
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0) AS types,
  CASE WHEN (c.relkind = 'p' OR NOT c.relhassubclass) AND EXISTS (SELECT FROM pg_catalog.pg_index i
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT EXISTS (SELECT FROM generate_series(0, i.indnkeyatts - 1) AS k
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k]
      WHERE a.attname <> ALL (CAST(? AS text[])) OR a.attcollation <> i.indcollation[k]))
    THEN 'yes' ELSE 'no' END AS uniqueid
  FROM pg_catalog.pg_class c WHERE c.oid = to_regclass(CAST(? AS text))`
