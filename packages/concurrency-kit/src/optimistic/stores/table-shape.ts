import { StoreError } from '../../errors.ts'
import { shown } from '../../options.ts'
import type { Row, Statement } from '../../sql/database.ts'
import type { Dialect } from '../../sql/dialect.ts'

/** What the database's catalog says about a table. */
export interface TableShape {
  /** Types of the columns, such as `jsonb`, by the database's column names; on SQLite as declared. */
  readonly types: ReadonlyMap<string, string>
  /** Whether a unique index prevents two rows with the same id. */
  readonly uniqueId: boolean
}

export interface ShapeQuestion {
  /** The `table` option, for errors. */
  readonly table: string
  /** Quoted, with its schema. */
  readonly sql: string
  /** Quoted. */
  readonly ids: readonly string[]
  /** Quoted. */
  readonly versionColumn: string | undefined
}

/** The name without its quotes. */
export function bare(quotedName: string): string {
  return quotedName.replace(/^["`](.*)["`]$/, '$1')
}

/** Selects the {@link TableShape}: one row, or none if the table is missing. All columns are text, to be independent of parsers. */
export function shapeStatement({ sql, ids }: ShapeQuestion, { name }: Dialect): Statement {
  if (name === 'postgres') return { sql: POSTGRES, bindings: [ids.map(bare), sql] }
  const [table = '', schema = null] = sql.split('.').map(bare).reverse()
  return { sql: SQLITE, bindings: [JSON.stringify(ids.map((id) => bare(id).toLowerCase())), table, schema] }
}

/** @throws StoreError for a table that cannot have versioned rows. */
export function shapeOf(row: Row | undefined, { table, versionColumn }: ShapeQuestion): TableShape | undefined {
  if (row === undefined) return undefined
  if (row['kind'] === 'view') {
    throw new StoreError(
      `${shown(table)} is a view: the store cannot tell whether a write through a view is stored; use the underlying table`,
    )
  }
  const types = new Map(Object.entries<string>(JSON.parse(String(row['types']))))
  const versionType = (versionColumn && types.get(bare(versionColumn))) ?? ''
  if (/real|floa|doub|numeric\(\d+,-?[1-9]/i.test(versionType)) {
    throw new StoreError(
      `column ${shown(bare(versionColumn as string))} of ${shown(table)} is of type ${versionType}, which cannot be a version: it can hold fractions, and a floating-point column stops counting (real at 2^24); use a column of whole numbers`,
    )
  }
  return { types, uniqueId: row['uniqueid'] === 'yes' }
}

/**
 * Only indexes of a constraint count: they use the column's collation, an index from `CREATE INDEX` may not. An `INTEGER PRIMARY KEY`
 * (the rowid) has no index, so it is recognised separately.
 */
const SQLITE = `SELECT t.type AS kind,
  (SELECT json_group_object(c.name, c.type) FROM pragma_table_info(t.name, t.schema) c) AS types,
  CASE WHEN EXISTS (SELECT 1 FROM pragma_index_list(t.name, t.schema) l WHERE l."unique" AND NOT l.partial AND l.origin IN ('pk', 'u')
      AND NOT EXISTS (SELECT 1 FROM pragma_index_info(l.name, t.schema) k WHERE lower(k.name) NOT IN (SELECT value FROM json_each(ids))))
    OR (EXISTS (SELECT 1 FROM pragma_table_info(t.name, t.schema) c WHERE c.pk AND lower(c.name) IN (SELECT value FROM json_each(ids)))
      AND (SELECT max(c.pk) FROM pragma_table_info(t.name, t.schema) c) = 1
      AND NOT EXISTS (SELECT 1 FROM pragma_index_list(t.name, t.schema) l WHERE l.origin = 'pk'))
    THEN 'yes' ELSE 'no' END AS uniqueid
  FROM pragma_table_list t, (SELECT ? AS ids)
  WHERE t.name = ? COLLATE NOCASE AND t.schema = coalesce(?, t.schema) COLLATE NOCASE
  ORDER BY t.schema <> 'temp', t.schema <> 'main' LIMIT 1`

/** A domain counts as its base type. A parent's unique index does not cover the tables that inherit from it. */
const POSTGRES = `SELECT CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END AS kind,
  (SELECT json_object_agg(a.attname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), greatest(a.atttypmod, t.typtypmod)))::text
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
