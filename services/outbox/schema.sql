-- The outbox of Heliograph: run this once in your database.

-- One row for each update that is not published yet. Insert into it in the transaction that makes the change.
CREATE TABLE heliograph_outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL CHECK (topic COLLATE "C" ~ '^[A-Za-z0-9._~:/-]{1,128}$'),
  -- A full snapshot of the topic, or NULL: clients fetch.
  data json CHECK (octet_length(data::text) <= 60000),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The error code with which the webhook refused the update for good. Set it to NULL to try again.
  refused text
);

CREATE INDEX heliograph_outbox_pending ON heliograph_outbox (id) WHERE refused IS NULL;

-- Wakes up the outbox service when a transaction commits.
CREATE FUNCTION heliograph_outbox_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NOTIFY heliograph_outbox;
  RETURN NULL;
END
$$;

CREATE TRIGGER heliograph_outbox_wake AFTER INSERT OR UPDATE OF refused ON heliograph_outbox
  FOR EACH STATEMENT EXECUTE FUNCTION heliograph_outbox_wake();

-- For triggers on tables of yours: publishes a topic for each changed row. Its arguments are the beginning of the topic and,
-- optionally, the column whose value follows: heliograph_publish('order/', 'id').
CREATE FUNCTION heliograph_publish() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  old_topic text := TG_ARGV[0] || CASE WHEN TG_NARGS > 1 AND TG_OP <> 'INSERT' THEN to_jsonb(OLD) ->> TG_ARGV[1] ELSE '' END;
  new_topic text := TG_ARGV[0] || CASE WHEN TG_NARGS > 1 AND TG_OP <> 'DELETE' THEN to_jsonb(NEW) ->> TG_ARGV[1] ELSE '' END;
BEGIN
  IF TG_NARGS > 1 AND to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END) -> TG_ARGV[1] IS NULL THEN
    RAISE EXCEPTION 'heliograph_publish: % has no column %', TG_TABLE_NAME, TG_ARGV[1];
  END IF;
  INSERT INTO heliograph_outbox (topic)
    SELECT DISTINCT topic FROM (VALUES
      (CASE WHEN TG_OP <> 'INSERT' THEN old_topic END),
      (CASE WHEN TG_OP <> 'DELETE' THEN new_topic END)
    ) AS changed (topic) WHERE topic IS NOT NULL;
  RETURN NULL;
END
$$;
