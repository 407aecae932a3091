/* document_up.c - what a device tells the centre. See document_tables.h. */
#include "playlists/document_tables.h"

static const char *const health_names[] = {"ok", "warn", "fault", "off", NULL};

/* --- state --- */

static const struct field held_doc_fields[] = {
    FORM(held_doc, "doc", doc, REQUIRED, FORM_WORD),
    INT(held_doc, "era", era, REQUIRED, 0, ERA_MAX),
    INT(held_doc, "ver", ver, REQUIRED, 0, CODEC_INT_MAX),
    FORM(held_doc, "hash", hash, OPTIONAL, FORM_HASH),
};
SHAPE(held_doc, NULL);

static const struct field outbox_head_fields[] = {
    FORM(outbox_head, "kind", kind, REQUIRED, FORM_WORD),
    INT(outbox_head, "last", last, REQUIRED, 0, CODEC_INT_MAX),
};
SHAPE(outbox_head, NULL);

static const struct field state_fields[] = {
    HEAD(state),
    FORM(state, "device", device, REQUIRED, FORM_ID),
    BOOL(state, "on", on, REQUIRED),
    FORM(state, "nonce", nonce, REQUIRED, FORM_NONCE),
    FORM(state, "store", store, REQUIRED, FORM_TOKEN),
    TEXT(state, "serial", serial, OPTIONAL, FORM_LINE, 1, 64),
    TEXT(state, "software", software, OPTIONAL, FORM_LINE, 1, 64),
    NAMED(state, "grade", grade, OPTIONAL, time_grade_names),
    TEXT(state, "boot", boot, OPTIONAL, FORM_LINE, 1, 64),
    FORM(state, "on_air", on_air, OPTIONAL, FORM_OCCURRENCE),
    LIST(state, "held", held, OPTIONAL, held_doc_shape, 0, 32),
    LIST(state, "outbox", outbox, OPTIONAL, outbox_head_shape, 0, 16),
};
DOCUMENT(state, document_check);

/* --- receipt and its evidence --- */

static const struct field sound_evidence_fields[] = {
    INT(sound_evidence, "frames_expected", frames_expected, REQUIRED, 0, CODEC_INT_MAX),
    INT(sound_evidence, "frames", frames, REQUIRED, 0, CODEC_INT_MAX),
    INT(sound_evidence, "xruns", xruns, REQUIRED, 0, CODEC_INT_MAX),
    INT(sound_evidence, "start_error_us", start_error_us, REQUIRED, -CODEC_INT_MAX, CODEC_INT_MAX),
};
SHAPE(sound_evidence, NULL);

static const struct field amplifier_evidence_fields[] = {
    BOOL(amplifier_evidence, "commanded", commanded, REQUIRED),
    BOOL(amplifier_evidence, "power", power, REQUIRED),
    BOOL(amplifier_evidence, "seen", seen, REQUIRED),
    INT(amplifier_evidence, "level_mb", level_mb, REQUIRED, -1000000, 1000000),
    INT(amplifier_evidence, "temperature_c", temperature_c, REQUIRED, -1000, 1000),
    TEXTS(amplifier_evidence, "faults", faults, OPTIONAL, FORM_WORD, 0, 64),
};
SHAPE(amplifier_evidence, NULL);

static const struct field sign_evidence_fields[] = {
    BOOL(sign_evidence, "written", written, REQUIRED),
    BOOL(sign_evidence, "read_back", read_back, REQUIRED),
    BOOL(sign_evidence, "cut", cut, REQUIRED),
    TEXT(sign_evidence, "text", text, OPTIONAL, FORM_ANY, 0, 16384),
};
SHAPE(sign_evidence, NULL);

static const struct field evidence_fields[] = {
    OBJECT(evidence, "sound", sound, OPTIONAL, sound_evidence_shape),
    OBJECT(evidence, "amplifier", amplifier, OPTIONAL, amplifier_evidence_shape),
    OBJECT(evidence, "sign", sign, OPTIONAL, sign_evidence_shape),
};
SHAPE(evidence, NULL);

static const struct field receipt_fields[] = {
    HEAD(receipt),
    FORM(receipt, "device", device, REQUIRED, FORM_ID),
    FORM(receipt, "store", store, REQUIRED, FORM_TOKEN),
    INT(receipt, "n", n, REQUIRED, 1, CODEC_INT_MAX),
    FORM(receipt, "prev", prev, OPTIONAL, FORM_HASH),
    FORM(receipt, "occurrence", occurrence, REQUIRED, FORM_OCCURRENCE),
    FORM(receipt, "bulletin", bulletin, OPTIONAL, FORM_HASH),
    CHOICE(receipt, "class", class, REQUIRED, air_class_names, CLASS_EMERGENCY),
    INT(receipt, "planned_ms", planned_ms, REQUIRED, 0, TIME_MAX_MS),
    INT(receipt, "started_ms", started_ms, OPTIONAL, 0, TIME_MAX_MS),
    INT(receipt, "ended_ms", ended_ms, OPTIONAL, 0, TIME_MAX_MS),
    CHOICE(receipt, "reason", reason, REQUIRED, reason_names, REASONS - 1),
    TEXT(receipt, "detail", detail, OPTIONAL, FORM_ANY, 0, DETAIL_MAX_BYTES),
    TEXT(receipt, "exempt", exempt, OPTIONAL, FORM_LINE, 1, ORDER_MAX_BYTES),
    NAMED(receipt, "grade", grade, REQUIRED, time_grade_names),
    OBJECT(receipt, "evidence", evidence, OPTIONAL, evidence_shape),
};
DOCUMENT(receipt, document_check);

/* --- event, reply, health --- */

static const struct field event_fields[] = {
    HEAD(event),
    FORM(event, "device", device, REQUIRED, FORM_ID),
    FORM(event, "store", store, REQUIRED, FORM_TOKEN),
    INT(event, "n", n, REQUIRED, 1, CODEC_INT_MAX),
    FORM(event, "prev", prev, OPTIONAL, FORM_HASH),
    INT(event, "at_ms", at_ms, REQUIRED, 0, TIME_MAX_MS),
    FORM(event, "code", code, REQUIRED, FORM_WORD),
    TEXT(event, "about", about, OPTIONAL, FORM_LINE, 0, NAME_MAX_BYTES),
    TEXT(event, "detail", detail, OPTIONAL, FORM_ANY, 0, DETAIL_MAX_BYTES),
};
DOCUMENT(event, document_check);

static const struct field reply_fields[] = {
    HEAD(reply),
    FORM(reply, "device", device, REQUIRED, FORM_ID),
    FORM(reply, "nonce", nonce, REQUIRED, FORM_NONCE),
    FORM(reply, "id", id, REQUIRED, FORM_TOKEN),
    BOOL(reply, "ok", ok, REQUIRED),
    TEXT(reply, "detail", detail, OPTIONAL, FORM_ANY, 0, DETAIL_MAX_BYTES),
};
DOCUMENT(reply, document_check);

static const struct field health_part_fields[] = {
    FORM(health_part, "name", name, REQUIRED, FORM_WORD),
    NAMED(health_part, "state", state, REQUIRED, health_names),
    TEXT(health_part, "detail", detail, OPTIONAL, FORM_ANY, 0, DETAIL_MAX_BYTES),
};
SHAPE(health_part, NULL);

static const struct field health_value_fields[] = {
    FORM(health_value, "name", name, REQUIRED, FORM_WORD),
    REAL(health_value, "value", value, REQUIRED, -CODEC_INT_MAX, CODEC_INT_MAX),
    TEXT(health_value, "unit", unit, OPTIONAL, FORM_LINE, 0, 16),
};
SHAPE(health_value, NULL);

static const struct field health_fields[] = {
    HEAD(health),
    FORM(health, "device", device, REQUIRED, FORM_ID),
    INT(health, "at_ms", at_ms, REQUIRED, 0, TIME_MAX_MS),
    LIST(health, "parts", parts, REQUIRED, health_part_shape, 0, 64),
    LIST(health, "values", values, REQUIRED, health_value_shape, 0, 256),
};
DOCUMENT(health, document_check);
