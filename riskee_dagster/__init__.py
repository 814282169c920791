"""Everything that is not per tick, as Dagster assets: thin shells around `riskee` and `dbt_like_sql`."""
