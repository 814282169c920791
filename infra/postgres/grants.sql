-- What the services may do in the database riskee: run by its owner after each migration. What is not granted here
-- is refused; a table of a later migration is read by the services once this has run.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO riskee_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO riskee_reader;

-- Hashes of the keys that the API is called with: the API's alone. It notes when each was used.
REVOKE ALL ON api_keys FROM riskee_reader;
GRANT SELECT, UPDATE (last_used_at) ON api_keys TO riskee_api;

-- record: what travels on the bus becomes rows. It adds, and never changes or removes.
GRANT INSERT ON quotes, predictions, explanations, quarantine TO riskee_record;

-- ingest: where each feed has come to.
GRANT INSERT, UPDATE ON feed_state TO riskee_ingest;
