-- Gives what the present role has made to the owner of the database, as far as it may act for that one. What belongs to
-- an extension, and the chunks of hypertables, which go with their tables, are left out.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        WITH me AS (
            SELECT oid AS role FROM pg_roles WHERE rolname = current_user
        ), schemas AS (
            SELECT oid, nspname, nspowner FROM pg_namespace
            WHERE nspname !~ '^(pg_|information_schema$|_?timescaledb)'
        ), things (class, object, owner, words) AS (
            SELECT 'pg_namespace'::regclass, oid, nspowner, format('SCHEMA %I', nspname) FROM schemas
            UNION ALL
            -- ALTER TABLE does for views and sequences too. A sequence of a column goes with its table.
            SELECT 'pg_class'::regclass, c.oid, relowner, format('TABLE %I.%I', nspname, relname)
            FROM pg_class AS c JOIN schemas AS s ON s.oid = relnamespace
            WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT EXISTS (
                SELECT FROM pg_depend AS d
                WHERE relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
            )
            UNION ALL
            SELECT 'pg_proc'::regclass, p.oid, proowner, format('ROUTINE %s', p.oid::regprocedure)
            FROM pg_proc AS p JOIN schemas AS s ON s.oid = pronamespace
            UNION ALL
            -- That of a table goes with it.
            SELECT 'pg_type'::regclass, t.oid, typowner, format('TYPE %s', t.oid::regtype)
            FROM pg_type AS t JOIN schemas AS s ON s.oid = typnamespace LEFT JOIN pg_class AS c ON c.oid = typrelid
            WHERE typtype IN ('e', 'd', 'r') OR c.relkind = 'c'
        )
        SELECT format('ALTER %s OWNER TO %I', words, pg_get_userbyid(datdba))
        FROM things JOIN me ON role = owner JOIN pg_database ON datname = current_database()
        WHERE datdba <> owner AND pg_has_role(datdba, 'MEMBER') AND NOT EXISTS (
            SELECT FROM pg_depend AS d WHERE d.classid = class AND d.objid = object AND d.deptype = 'e'
        )
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;
