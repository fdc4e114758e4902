"""What a database looks like, as text that can be compared."""

from typing import Final

from clipsaver.postgres.pool import Connection

LOOKS: Final = {
    "columns": """
        select c.relname, c.relkind::text, c.relpersistence::text, c.reloptions::text, a.attname,
            format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text, pg_get_expr(d.adbin, d.adrelid)
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'S')
        order by c.relname, row_number() over (partition by c.oid order by a.attnum)""",
    "constraints": """
        select conrelid::regclass::text, contypid::regtype::text, conname, pg_get_constraintdef(oid)
        from pg_constraint where connamespace = 'public'::regnamespace order by 1, 2, 3""",
    "indexes": "select indexdef from pg_indexes where schemaname = 'public' order by 1",
    "triggers": "select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal order by 1",
    "functions": "select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace order by 1",
    "types": """
        select t.typname, t.typtype::text, t.typbasetype::regtype::text,
            (select string_agg(enumlabel, ',' order by enumsortorder) from pg_enum where enumtypid = t.oid)
        from pg_type t where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd') order by 1""",
    "schemas": r"select nspname from pg_namespace where nspname !~ '^pg_' order by 1",
    "comments": """
        select objoid::regclass::text, description from pg_description
        where classoid = 'pg_class'::regclass and objoid >= 16384 order by 1""",
}


async def catalog(conn: Connection, *, without: tuple[str, ...] = ()) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the public schema, and which schemas there are."""
    return {name: [tuple(row) for row in await conn.fetch(look)] for name, look in LOOKS.items() if name not in without}
