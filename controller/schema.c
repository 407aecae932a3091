/* schema.c - the database's shape, as numbered steps. A step that was released is never edited: a change is a new step.
 *
 * Times ending in _ms are Unix milliseconds, _s Unix seconds; 0 or NULL: never. */
#include "controller/store.h"

static const char step_1[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('epoch', 1);"
    "CREATE TABLE tokens (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, hash BLOB NOT NULL, unit TEXT NOT NULL,"
    " role TEXT NOT NULL, note TEXT NOT NULL, created_ms INTEGER NOT NULL, revoked_ms INTEGER);"
    "CREATE TABLE actions (n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, token TEXT NOT NULL, method TEXT NOT NULL,"
    " path TEXT NOT NULL, status INTEGER NOT NULL);"
    "CREATE TABLE areas (id TEXT PRIMARY KEY, parent TEXT REFERENCES areas DEFERRABLE INITIALLY DEFERRED,"
    " kind TEXT NOT NULL, name TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX areas_parent ON areas (parent);"
    "CREATE TABLE devices (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, area TEXT NOT NULL"
    " REFERENCES areas, settings TEXT NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX devices_area ON devices (area);"
    "CREATE TABLE boxes (n INTEGER PRIMARY KEY, device TEXT NOT NULL REFERENCES devices, serial TEXT NOT NULL,"
    " x TEXT NOT NULL, kid TEXT NOT NULL, since_ms INTEGER NOT NULL, until_ms INTEGER);"
    "CREATE UNIQUE INDEX boxes_now ON boxes (device) WHERE until_ms IS NULL;"
    "CREATE UNIQUE INDEX boxes_key ON boxes (x) WHERE until_ms IS NULL;"
    "CREATE TABLE media (n INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,"
    " frames INTEGER NOT NULL, loudness_lufs REAL NOT NULL, true_peak_dbtp REAL NOT NULL,"
    " source_hash TEXT NOT NULL UNIQUE, source TEXT NOT NULL, unit TEXT NOT NULL, created_ms INTEGER NOT NULL);"
    "CREATE TABLE bulletins (n INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, id TEXT NOT NULL,"
    " revision INTEGER NOT NULL, size INTEGER NOT NULL, class INTEGER NOT NULL, unit TEXT NOT NULL,"
    " title TEXT NOT NULL, body TEXT NOT NULL, created_ms INTEGER NOT NULL, UNIQUE (id, revision));"
    "CREATE TABLE approvals (n INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,"
    " bulletin TEXT NOT NULL, kid TEXT NOT NULL, person TEXT NOT NULL, name TEXT, areas TEXT NOT NULL,"
    " class TEXT NOT NULL, from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL);"
    "CREATE INDEX approvals_bulletin ON approvals (bulletin);"
    "CREATE TABLE documents (word TEXT NOT NULL, device TEXT NOT NULL, era INTEGER NOT NULL, ver INTEGER NOT NULL,"
    " iat_s INTEGER NOT NULL, exp_s INTEGER NOT NULL, hash TEXT NOT NULL, body TEXT NOT NULL, sealed TEXT NOT NULL,"
    " made_ms INTEGER NOT NULL, acked_ms INTEGER, PRIMARY KEY (word, device, era, ver)) WITHOUT ROWID;"
    "CREATE TABLE rules (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, unit TEXT NOT NULL, bulletin TEXT NOT NULL,"
    " body TEXT NOT NULL, created_ms INTEGER NOT NULL, ended_ms INTEGER);"
    "CREATE TABLE problems (device TEXT NOT NULL, n INTEGER NOT NULL, rule TEXT NOT NULL, start_ms INTEGER NOT NULL,"
    " why TEXT NOT NULL, PRIMARY KEY (device, n)) WITHOUT ROWID;";

static const char step_2[] =
    "CREATE TABLE receipts (cursor INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, store TEXT NOT NULL,"
    " n INTEGER NOT NULL, hash TEXT NOT NULL, twin INTEGER NOT NULL, occurrence TEXT NOT NULL, rule TEXT NOT NULL,"
    " bulletin TEXT, class TEXT, planned_ms INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER,"
    " reason TEXT NOT NULL, detail TEXT, grade TEXT, evidence TEXT, received_ms INTEGER NOT NULL,"
    " UNIQUE (device, store, n, hash));"
    "CREATE UNIQUE INDEX receipts_once ON receipts (device, store, n) WHERE twin = 0;"
    "CREATE INDEX receipts_planned ON receipts (planned_ms);"
    "CREATE TABLE events (cursor INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT, store TEXT NOT NULL,"
    " n INTEGER NOT NULL, hash TEXT NOT NULL, twin INTEGER NOT NULL, at_ms INTEGER NOT NULL, code TEXT NOT NULL,"
    " about TEXT, detail TEXT, received_ms INTEGER NOT NULL, UNIQUE (device, store, n, hash));"
    "CREATE UNIQUE INDEX events_once ON events (device, store, n) WHERE twin = 0;"
    "CREATE TABLE marks (device TEXT NOT NULL, kind TEXT NOT NULL, store TEXT NOT NULL, upto INTEGER NOT NULL,"
    " PRIMARY KEY (device, kind, store)) WITHOUT ROWID;"
    "CREATE TABLE states (device TEXT PRIMARY KEY, nonce TEXT NOT NULL, up INTEGER NOT NULL, kid TEXT NOT NULL,"
    " era INTEGER NOT NULL, ver INTEGER NOT NULL, body TEXT NOT NULL, seen_ms INTEGER NOT NULL,"
    " off_since_ms INTEGER) WITHOUT ROWID;"
    "CREATE TABLE health (device TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, ver INTEGER NOT NULL,"
    " body TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE commands (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, device TEXT NOT NULL,"
    " command TEXT NOT NULL, token TEXT NOT NULL, nonce TEXT, sealed TEXT, status TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, sent_ms INTEGER, answered_ms INTEGER, ok INTEGER,"
    " detail TEXT);";

/* `sent`: small rows beside the large documents, so that a mark does not write a document again. `seen`: the highest
 * version of each document that the broker or a device showed us under a scheduler's seal. `vaults`: what each store id
 * of a device said last. */
static const char step_3[] =
    "CREATE TABLE sent (word TEXT NOT NULL, device TEXT NOT NULL, era INTEGER NOT NULL, ver INTEGER NOT NULL,"
    " rank INTEGER NOT NULL, made_ms INTEGER NOT NULL, acked_ms INTEGER, PRIMARY KEY (word, device)) WITHOUT ROWID;"
    "INSERT INTO sent SELECT word, device, era, ver, CASE word WHEN 'trust' THEN 0 WHEN 'keys' THEN 1 ELSE 3 END,"
    " made_ms, acked_ms FROM documents d WHERE (era, ver) = (SELECT era, ver FROM documents e WHERE e.word = d.word"
    " AND e.device = d.device ORDER BY era DESC, ver DESC LIMIT 1);"
    "CREATE INDEX sent_waiting ON sent (rank, made_ms) WHERE acked_ms IS NULL;"
    "CREATE INDEX sent_device ON sent (device);"
    "ALTER TABLE documents DROP COLUMN acked_ms;"
    "CREATE TABLE seen (word TEXT NOT NULL, device TEXT NOT NULL, era INTEGER NOT NULL, ver INTEGER NOT NULL,"
    " hash TEXT NOT NULL, PRIMARY KEY (word, device)) WITHOUT ROWID;"
    "CREATE TABLE rule_targets (target TEXT NOT NULL, kind TEXT NOT NULL, rule TEXT NOT NULL,"
    " PRIMARY KEY (target, kind, rule)) WITHOUT ROWID;"
    "CREATE TRIGGER rule_placed AFTER INSERT ON rules BEGIN"
    " INSERT OR IGNORE INTO rule_targets SELECT value, 'area', new.id FROM json_each(new.body, '$.areas');"
    " INSERT OR IGNORE INTO rule_targets SELECT value, 'device', new.id FROM json_each(new.body, '$.devices'); END;"
    "INSERT OR IGNORE INTO rule_targets SELECT j.value, 'area', r.id FROM rules r, json_each(r.body, '$.areas') j;"
    "INSERT OR IGNORE INTO rule_targets SELECT j.value, 'device', r.id FROM rules r, json_each(r.body, '$.devices') j;"
    "CREATE TABLE vaults (device TEXT NOT NULL, store TEXT NOT NULL, kid TEXT NOT NULL, era INTEGER NOT NULL,"
    " ver INTEGER NOT NULL, nonce TEXT NOT NULL, former TEXT NOT NULL, up INTEGER NOT NULL, since_ms INTEGER NOT NULL,"
    " seen_ms INTEGER NOT NULL, PRIMARY KEY (device, store)) WITHOUT ROWID;"
    "INSERT INTO vaults SELECT device, json_extract(body, '$.store'), kid, era, ver, nonce, '[]', up, seen_ms, seen_ms"
    " FROM states WHERE json_extract(body, '$.store') IS NOT NULL;"
    "CREATE INDEX events_own ON events (n) WHERE store = 'controller';"
    "CREATE INDEX commands_open ON commands (expires_ms) WHERE status IN ('waiting', 'sent');"
    "ALTER TABLE commands ADD COLUMN kind TEXT;"
    "ALTER TABLE commands ADD COLUMN store TEXT;"
    "ALTER TABLE commands ADD COLUMN from_n INTEGER;";

/* `area_changes`: what becomes of an area at a midnight; planned while done_ms and undone_ms are NULL. `area_ends`:
 * areas that are no more; they stay in the tree, below what took them over. `area_spans`: when all of `area` came below
 * `above` or left it, kept while it matters. Groups, targets and placements belong to rules. */
static const char step_4[] =
    "CREATE TABLE groups (id TEXT PRIMARY KEY, unit TEXT NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE group_members (grp TEXT NOT NULL REFERENCES groups ON DELETE CASCADE, device TEXT NOT NULL"
    " REFERENCES devices, PRIMARY KEY (grp, device)) WITHOUT ROWID;"
    "CREATE INDEX group_members_device ON group_members (device);"
    "CREATE TRIGGER rule_grouped AFTER INSERT ON rules BEGIN"
    " INSERT OR IGNORE INTO rule_targets SELECT value, 'group', new.id FROM json_each(new.body, '$.groups'); END;"
    "CREATE TRIGGER rule_replaced AFTER UPDATE OF body ON rules BEGIN DELETE FROM rule_targets WHERE rule = new.id;"
    " INSERT OR IGNORE INTO rule_targets SELECT value, 'area', new.id FROM json_each(new.body, '$.areas');"
    " INSERT OR IGNORE INTO rule_targets SELECT value, 'group', new.id FROM json_each(new.body, '$.groups');"
    " INSERT OR IGNORE INTO rule_targets SELECT value, 'device', new.id FROM json_each(new.body, '$.devices'); END;"
    "CREATE INDEX rule_targets_rule ON rule_targets (rule);"
    "CREATE TABLE limits (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, area TEXT NOT NULL REFERENCES areas,"
    " body TEXT NOT NULL, created_ms INTEGER NOT NULL);"
    "CREATE INDEX limits_area ON limits (area);"
    "CREATE TABLE exemptions (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, unit TEXT NOT NULL, body TEXT NOT NULL,"
    " from_date TEXT NOT NULL, until_date TEXT NOT NULL, created_ms INTEGER NOT NULL, ended_ms INTEGER);"
    "CREATE TABLE area_changes (n INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT NOT NULL, area TEXT NOT NULL, into_area"
    " TEXT, name TEXT, former TEXT, date TEXT NOT NULL, effective_ms INTEGER NOT NULL, unit TEXT NOT NULL, token TEXT"
    " NOT NULL, note TEXT, made_ms INTEGER NOT NULL, done_ms INTEGER, undone_ms INTEGER);"
    "CREATE INDEX area_changes_planned ON area_changes (effective_ms, n) WHERE done_ms IS NULL AND undone_ms IS NULL;"
    "CREATE INDEX area_changes_area ON area_changes (area);"
    "CREATE INDEX area_changes_into ON area_changes (into_area);"
    "CREATE TABLE area_ends (area TEXT PRIMARY KEY REFERENCES areas, into_area TEXT, ended_ms INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE area_spans (area TEXT NOT NULL, above TEXT NOT NULL, from_ms INTEGER NOT NULL, until_ms INTEGER"
    " NOT NULL, PRIMARY KEY (area, above, from_ms, until_ms)) WITHOUT ROWID;"
    "CREATE TABLE placements (rule TEXT NOT NULL, area TEXT NOT NULL, state TEXT NOT NULL, times TEXT, token TEXT NOT"
    " NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (rule, area)) WITHOUT ROWID;";

/* What of a rule's body names a bulletin. */
#define BULLETINS_OF(body)                                                                                             \
    " SELECT json_extract(" body ", '$.bulletin') AS hash UNION SELECT json_extract(" body ", '$.session.opening')"    \
    " UNION SELECT json_extract(" body ", '$.session.closing')"                                                        \
    " UNION SELECT json_extract(value, '$.bulletin') FROM json_each(" body ", '$.session.parts') "

/* `rule_bulletins`: which bulletins a rule names; rules.bulletin is empty where it is a session. `rule_changes`: bodies
 * as they were before each change, to be had back. */
static const char step_5[] =
    "CREATE TABLE rule_bulletins (bulletin TEXT NOT NULL, rule TEXT NOT NULL, PRIMARY KEY (bulletin, rule))"
    " WITHOUT ROWID;"
    "CREATE INDEX rule_bulletins_rule ON rule_bulletins (rule);"
    "CREATE TRIGGER rule_says AFTER INSERT ON rules BEGIN"
    " INSERT OR IGNORE INTO rule_bulletins SELECT hash, new.id FROM (" BULLETINS_OF(
        "new.body") ") WHERE hash IS NOT NULL;"
                    " END;"
                    "CREATE TRIGGER rule_says_else AFTER UPDATE OF body ON rules BEGIN DELETE FROM rule_bulletins "
                    "WHERE rule = new.id;"
                    " INSERT OR IGNORE INTO rule_bulletins SELECT hash, new.id FROM (" BULLETINS_OF(
                        "new.body") ") WHERE hash IS NOT NULL;"
                                    " END;"
                                    "INSERT OR IGNORE INTO rule_bulletins SELECT bulletin, id FROM rules;"
                                    "CREATE TABLE rule_changes (n INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT "
                                    "NULL, what TEXT NOT NULL, body TEXT NOT"
                                    " NULL, token TEXT NOT NULL, made_ms INTEGER NOT NULL, undone_ms INTEGER);"
                                    "CREATE INDEX rule_changes_rule ON rule_changes (rule, n);";

/* Rules and bulletins in the order of their latest change, so that who has read them reads on from there. */
static const char step_6[] =
    "CREATE TABLE changes (n INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT NOT NULL, id TEXT NOT NULL, UNIQUE (what,"
    " id));"
    "CREATE TRIGGER rule_made AFTER INSERT ON rules BEGIN INSERT OR REPLACE INTO changes (what, id) VALUES ('rule',"
    " new.id); END;"
    "CREATE TRIGGER rule_changed AFTER UPDATE ON rules BEGIN INSERT OR REPLACE INTO changes (what, id) VALUES ('rule',"
    " new.id); END;"
    "CREATE TRIGGER placement_made AFTER INSERT ON placements BEGIN INSERT OR REPLACE INTO changes (what, id) VALUES"
    " ('rule', new.rule); END;"
    "CREATE TRIGGER placement_changed AFTER UPDATE ON placements BEGIN INSERT OR REPLACE INTO changes (what, id) VALUES"
    " ('rule', new.rule); END;"
    "CREATE TRIGGER placement_gone AFTER DELETE ON placements BEGIN INSERT OR REPLACE INTO changes (what, id) VALUES"
    " ('rule', old.rule); END;"
    "CREATE TRIGGER bulletin_made AFTER INSERT ON bulletins BEGIN INSERT OR REPLACE INTO changes (what, id) VALUES"
    " ('bulletin', new.hash); END;"
    "CREATE TRIGGER bulletin_approved AFTER INSERT ON approvals BEGIN INSERT OR REPLACE INTO changes (what, id) VALUES"
    " ('bulletin', new.bulletin); END;"
    "INSERT INTO changes (what, id) SELECT 'rule', id FROM rules ORDER BY n;"
    "INSERT INTO changes (what, id) SELECT 'bulletin', hash FROM bulletins ORDER BY n;";

/* What let a receipt's airing pass quiet hours. */
static const char step_7[] = "ALTER TABLE receipts ADD COLUMN exempt TEXT;";

/* Of what a compilation left out: the other rule, how many occurrences, and whether it is only a warning. */
static const char step_8[] = "ALTER TABLE problems ADD COLUMN other TEXT;"
                             "ALTER TABLE problems ADD COLUMN count INTEGER NOT NULL DEFAULT 1;"
                             "ALTER TABLE problems ADD COLUMN warning INTEGER NOT NULL DEFAULT 0;";

/* Who carries a rule is counted from its receipts. */
static const char step_9[] = "CREATE INDEX receipts_rule ON receipts (rule, planned_ms);";

/* How many of them a unit has is counted before one more comes. */
static const char step_10[] = "CREATE INDEX rules_living ON rules (unit) WHERE ended_ms IS NULL;"
                              "CREATE INDEX exemptions_living ON exemptions (unit) WHERE ended_ms IS NULL;"
                              "CREATE INDEX bulletins_unit ON bulletins (unit);";

/* Rows name the one before them, by the hash of its sealed bytes; marks are of chains (controller/chains.h). What was
 * stored before had another hash: '' stands for any. */
static const char step_11[] =
    "ALTER TABLE receipts ADD COLUMN prev TEXT;"
    "ALTER TABLE receipts ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE events ADD COLUMN prev TEXT;"
    "ALTER TABLE events ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;"
    "UPDATE receipts SET hash = '', joined = n <= coalesce((SELECT upto FROM marks m WHERE m.device = receipts.device"
    " AND m.kind = 'receipt' AND m.store = receipts.store), 0) WHERE twin = 0;"
    "UPDATE events SET hash = '', joined = n <= coalesce((SELECT upto FROM marks m WHERE m.device = events.device"
    " AND m.kind = 'event' AND m.store = events.store), 0) WHERE twin = 0 AND store <> 'controller';"
    "ALTER TABLE marks RENAME TO old_marks;"
    "CREATE TABLE marks (device TEXT NOT NULL, kind TEXT NOT NULL, store TEXT NOT NULL, hash TEXT NOT NULL,"
    " upto INTEGER NOT NULL, moved_ms INTEGER NOT NULL, PRIMARY KEY (device, kind, store, hash)) WITHOUT ROWID;"
    "INSERT INTO marks SELECT device, kind, store, '', upto, 0 FROM old_marks;"
    "DROP TABLE old_marks;";

const char *const schema_steps[] = {step_1, step_2, step_3, step_4,  step_5, step_6,
                                    step_7, step_8, step_9, step_10, step_11};
const int schema_n_steps = sizeof(schema_steps) / sizeof(schema_steps[0]);
