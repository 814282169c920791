"""The statements that merge staged daily bars into `market_data`, in the order in which they run."""

_BAR = 'ticker, "timestamp", open, high, low, close, volume, adjustment_factor, dividend, split, source'
_COLUMNS = f"{_BAR}, known_at"

# Temporary tables live until the transaction's end; a second merge in it starts anew.
STAGE = (
    "DROP TABLE IF EXISTS incoming_bars, stored_bars",
    """
    CREATE TEMPORARY TABLE incoming_bars (
        ticker text, "timestamp" timestamptz, open float8, high float8, low float8, close float8, volume float8,
        adjustment_factor float8, dividend float8, split float8, source text, known_at timestamptz
    ) ON COMMIT DROP
    """,
)

COPY = f"COPY incoming_bars ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
COPY_TYPES = ["text", "timestamptz", *["float8"] * 8, "text", "timestamptz"]

NAME_TICKERS = """
    INSERT INTO tickers (ticker, name, source)
    SELECT ticker, ticker, min(source) FROM incoming_bars GROUP BY ticker
    ON CONFLICT DO NOTHING
"""

# What is stored under the incoming keys and in the week before them, with two marks: the bar's latest version, and
# the latest that its own source said.
STORED = (
    "ANALYZE incoming_bars",
    """
    CREATE TEMPORARY TABLE stored_bars ON COMMIT DROP AS
    SELECT
        bar.*,
        row_number() OVER (PARTITION BY ticker, "timestamp" ORDER BY version DESC) = 1 AS is_latest,
        row_number() OVER (PARTITION BY ticker, "timestamp", bar.source ORDER BY version DESC) = 1 AS is_own_latest
    FROM market_data AS bar
    JOIN (SELECT DISTINCT ticker FROM incoming_bars) AS incoming USING (ticker)
    WHERE resolution = '1d'
        AND "timestamp" BETWEEN CAST(:first AS timestamptz) - INTERVAL '7 days' AND :last
    """,
    "ANALYZE stored_bars",
)

# A vendor's factor counts the splits and dividends up to the day on which the vendor looked, so two sources differ by
# a constant per ticker. It is measured on the days that both have: first against what this source said before, then
# against the latest versions. Without a common day, the stored bar of the week before continues into the first
# incoming one by that one's own dividend and split, the dividend being of each new share (market/adjustment.py). Else
# the factor stays as it is.
LINK = """
    WITH common AS (
        SELECT
            incoming.ticker,
            percentile_disc(0.5) WITHIN GROUP (ORDER BY stored.adjustment_factor / incoming.adjustment_factor)
                FILTER (WHERE stored.source = incoming.source AND stored.is_own_latest) AS own,
            percentile_disc(0.5) WITHIN GROUP (ORDER BY stored.adjustment_factor / incoming.adjustment_factor)
                FILTER (WHERE stored.is_latest) AS latest
        FROM incoming_bars AS incoming
        JOIN stored_bars AS stored USING (ticker, "timestamp")
        GROUP BY incoming.ticker
    ),
    beginning AS (
        SELECT DISTINCT ON (ticker) ticker, "timestamp", adjustment_factor, dividend, split
        FROM incoming_bars
        ORDER BY ticker, "timestamp"
    ),
    continued AS (
        SELECT DISTINCT ON (ticker)
            ticker,
            stored.adjustment_factor * beginning.split
            / (beginning.adjustment_factor * (1 - beginning.dividend * beginning.split / stored.close)) AS scale
        FROM beginning
        JOIN stored_bars AS stored USING (ticker)
        WHERE stored.is_latest
            AND stored."timestamp" < beginning."timestamp"
            AND stored."timestamp" >= beginning."timestamp" - INTERVAL '7 days'
            AND beginning.dividend * beginning.split < stored.close
        ORDER BY ticker, stored."timestamp" DESC
    ),
    viewpoint AS (
        SELECT ticker, COALESCE(common.own, common.latest, continued.scale) AS scale
        FROM common
        FULL JOIN continued USING (ticker)
    )
    UPDATE incoming_bars AS incoming
    SET adjustment_factor = adjustment_factor * viewpoint.scale
    FROM viewpoint
    WHERE viewpoint.ticker = incoming.ticker AND viewpoint.scale <> 1
"""

# Factors are quotients, scaled above: equal to nine digits is equal. A bar that has nothing but a close says nothing
# new beside one with the same close, but for the rounding to cents: it must not take open, high and low away. A bar's
# first version was known when its session closed; a correction is learnt when it is stored. The moment is taken
# under the lock: the transaction may have begun long before, and others have stored and read bars since.
MERGE = f"""
    WITH versions AS (
        SELECT ticker, "timestamp", max(version) AS version FROM stored_bars GROUP BY ticker, "timestamp"
    ),
    moment AS MATERIALIZED (
        SELECT COALESCE(CAST(:recorded_at AS timestamptz), clock_timestamp()) AS recorded_at
    ),
    inserted AS (
        INSERT INTO market_data (resolution, version, recorded_at, {_COLUMNS})
        SELECT
            '1d', COALESCE(versions.version, 0) + 1, moment.recorded_at, {_BAR},
            CASE WHEN versions.version IS NULL THEN known_at ELSE GREATEST(known_at, moment.recorded_at) END
        FROM incoming_bars AS incoming
        CROSS JOIN moment
        LEFT JOIN versions USING (ticker, "timestamp")
        WHERE NOT EXISTS (
            SELECT 1
            FROM stored_bars AS stored
            WHERE stored.ticker = incoming.ticker
                AND stored."timestamp" = incoming."timestamp"
                AND (stored.is_latest OR (stored.is_own_latest AND stored.source = incoming.source))
                AND (stored.dividend, stored.split) = (incoming.dividend, incoming.split)
                AND abs(stored.adjustment_factor - incoming.adjustment_factor) <= 1e-9 * incoming.adjustment_factor
                AND (
                    (stored.open, stored.high, stored.low, stored.close, stored.volume)
                        = (incoming.open, incoming.high, incoming.low, incoming.close, incoming.volume)
                    OR (
                        incoming.low = incoming.high AND incoming.volume = 0
                        AND abs(stored.close - incoming.close) <= 1e-5 * incoming.close
                    )
                )
        )
        RETURNING version
    )
    SELECT count(*) FILTER (WHERE version = 1), count(*) FILTER (WHERE version > 1) FROM inserted
"""  # noqa: S608 (only the list of columns above is filled in)

# Of some keys those whose incoming bar is not the stored one, nor equal to it: a later one of another source stands.
OVERRULED = """
    SELECT incoming.ticker, CAST(incoming."timestamp" AT TIME ZONE 'UTC' AS date)
    FROM unnest(CAST(:tickers AS text[]), CAST(:sessions AS date[])) AS asked (ticker, session_date)
    JOIN incoming_bars AS incoming
        ON incoming.ticker = asked.ticker
            AND incoming."timestamp" = CAST(asked.session_date AS timestamp) AT TIME ZONE 'UTC'
    CROSS JOIN LATERAL (
        SELECT *
        FROM market_data AS bar
        WHERE bar.resolution = '1d' AND bar.ticker = incoming.ticker AND bar."timestamp" = incoming."timestamp"
        ORDER BY version DESC
        LIMIT 1
    ) AS stored
    WHERE stored.source <> incoming.source
        AND (
            (stored.open, stored.high, stored.low, stored.close, stored.volume, stored.dividend, stored.split)
                <> (
                    incoming.open, incoming.high, incoming.low, incoming.close, incoming.volume, incoming.dividend,
                    incoming.split
                )
            OR abs(stored.adjustment_factor - incoming.adjustment_factor) > 1e-9 * incoming.adjustment_factor
        )
"""
