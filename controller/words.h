/* words.h - the catalogue of sentences that people read from the controller: Vietnamese first, English second. Both
 * texts of a word take the same arguments in the same order (or by position, %1$s). Pure; any thread. */
#ifndef LOA_WORDS_H
#define LOA_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum word {
    WORD_STORE,
    WORD_BUSY,
    WORD_ROUTE,         /* path */
    WORD_METHOD,        /* method, path, allowed */
    WORD_MISSING,       /* what in Vietnamese, what in English, id: see refuse_missing() */
    WORD_QUERY_UNKNOWN, /* parameter, known ones */
    WORD_QUERY_NONE,    /* parameter */
    WORD_QUERY_UTF8,    /* parameter */
    WORD_QUERY_LIMIT,   /* text */
    WORD_QUERY_ORDER,   /* text */
    WORD_QUERY_AFTER,   /* text */
    WORD_QUERY_INSTANT, /* parameter, text */
    WORD_TOKEN_NONE,
    WORD_TOKEN_WRONG,
    WORD_THROTTLE, /* seconds */
    WORD_STREAMS,  /* how many */
    WORD_ROLE,     /* role, method, path */
    WORD_SCOPE,    /* what, unit */
    WORD_FORMER,   /* area */
    WORD_OWN_UNIT, /* unit */
    WORD_TYPE,     /* got, want */
    WORD_SIZE,     /* bytes */
    WORD_BODY_EMPTY,
    WORD_JSON,       /* line, column, why */
    WORD_JSON_DEPTH, /* levels */
    WORD_JSON_OBJECT,
    WORD_CSV,            /* line */
    WORD_MEMBER_UNKNOWN, /* member, known ones */
    WORD_MEMBER_MISSING, /* member */
    WORD_VALUE_TEXT,     /* member */
    WORD_VALUE_LENGTH,   /* member, has, min, max */
    WORD_VALUE_CONTROL,  /* member, position */
    WORD_VALUE_ID,       /* member, text */
    WORD_VALUE_RESERVED, /* text */
    WORD_VALUE_HASH,     /* member, text */
    WORD_VALUE_KEY,      /* text */
    WORD_VALUE_INT,      /* member, min, max */
    WORD_VALUE_CHOICE,   /* member, choices */
    WORD_VALUE_LIST,     /* member, min, max */
    WORD_VALUE_ITEM,     /* member, text, wanted */
    WORD_VALUE_TWICE,    /* member, text */
    WORD_VALUE_OBJECT,   /* member */
    WORD_VALUE_DATE,     /* member, text */
    WORD_VALUE_TIME,     /* member, text */
    WORD_VALUE_ZONE,     /* text */
    WORD_NO_AREA,        /* member, area */
    WORD_AREA_LOOP,      /* area */
    WORD_NO_MEDIA,       /* path of the member, hash */
    WORD_CONTENT_EMPTY,  /* path */
    WORD_BULLETIN,       /* why */
    WORD_TAKEN,          /* the same: see refuse_taken() */
    WORD_BOX_ELSEWHERE,  /* device */
    WORD_NO_STORE,       /* device */
    WORD_DOCUMENT,       /* see refuse_document() */
    WORD_NOT_APPROVER,   /* kid */
    WORD_RULE_STRAY,     /* member, when */
    WORD_RULE_ORDER,     /* until, from */
    WORD_RULE_TARGETS,
    WORD_RULE_EMERGENCY,
    WORD_RULE_CLASS, /* class, limit, title */
    WORD_RULE_PAST,
    WORD_WARN_NOBODY,
    WORD_WARN_UNAPPROVED,  /* device, title, why in Vietnamese, in English */
    WORD_SOUND_UNREADABLE, /* why */
    WORD_SOUND_BROKEN,     /* seconds, why */
    WORD_SOUND_CHANNELS,   /* has, max */
    WORD_SOUND_RATE,       /* has, min, max */
    WORD_SOUND_LONG,       /* minutes */
    WORD_SOUND_SHORT,      /* seconds */
    WORD_SOUND_SILENT,     /* LUFS */
    WORD_SOUND_PEAK,       /* dBTP */
    WORD_SOUND_LARGE,      /* MiB */
    WORD_GROUP_STRAY,      /* device, unit */
    WORD_GROUP_USED,       /* group, rule */
    WORD_AREA_ENDED,       /* area */
    WORD_AREA_SAME,        /* area, member */
    WORD_AREA_DATE,        /* date, first that would be right */
    WORD_AREA_DONE,        /* number of the change, date */
    WORD_AREA_UNDONE,      /* number of the change */
    WORD_AREA_PLANNED,     /* how many */
    WORD_AREA_OF_OTHERS,   /* number of the change, unit */
    WORD_MEMBER_STRAY,     /* member, what */
    WORD_VALUE_MONTH_DAY,  /* member, text */
    WORD_RULE_LEAP,        /* member */
    WORD_RULE_EXCEPT_MANY, /* has, max */
    WORD_RULE_NO_HOLIDAYS, /* member */
    WORD_RULE_CALENDAR,    /* id */
    WORD_RULE_NEVER,
    WORD_RULE_PART, /* path */
    WORD_RULE_FILL,
    WORD_RULE_CONTENT,
    WORD_RULE_START,        /* start */
    WORD_RULE_OFF,          /* rule, date */
    WORD_RULE_DAY_PAST,     /* date */
    WORD_RULE_NO_EXCEPTION, /* rule, date */
    WORD_RULE_ONCE,         /* rule */
    WORD_RULE_ENDED,        /* rule */
    WORD_RULE_NO_CHANGE,    /* rule */
    WORD_WARN_LUNAR_SHORT,  /* date, years */
    WORD_CALENDAR_LONG,     /* KiB, rules */
    WORD_LIMIT_EMPTY,       /* path */
    WORD_LIMIT_CEILING,
    WORD_LIMIT_MANY,            /* area, how many */
    WORD_LIMIT_OF_OTHERS,       /* id, unit */
    WORD_LIMIT_QUIET,           /* when, from, to, whose, source */
    WORD_LIMIT_QUIET_DEFAULT,   /* when, from, to, where, nothing */
    WORD_LIMIT_DAY,             /* when, whose, source */
    WORD_LIMIT_SESSIONS,        /* when, has, number, whose, source */
    WORD_LIMIT_SESSION_MINUTES, /* when, has, number, whose, source */
    WORD_LIMIT_MINUTES,         /* when, has, number, whose, source */
    WORD_LIMIT_SESSIONS_ALL,    /* day, all want, number, whose, source, the others, days like that, days looked at */
    WORD_LIMIT_MINUTES_ALL,     /* the same */
    WORD_EXEMPT_PLACES,
    WORD_EXEMPT_ORDER,
    WORD_EXEMPT_LONG,     /* until, from, days */
    WORD_INBOX_WHERE,     /* unit */
    WORD_INBOX_NOT,       /* rule, commune */
    WORD_INBOX_MUST,      /* rule */
    WORD_INBOX_COUNT,     /* has, number */
    WORD_INBOX_WINDOW,    /* time, from, to */
    WORD_INBOX_FIXED,     /* rule */
    WORD_CARRY_WINDOW,    /* carry */
    WORD_CARRY_DIRECT,    /* unit */
    WORD_CARRIAGE_DIRECT, /* rule */
    WORD_WARN_NO_AREA,    /* area */
    WORD_CLASH,           /* sentence, how many */
    WORD_CLASH_FULL,      /* way */
    WORD_RULE_MEANWHILE,  /* rule */
    WORD_RULE_LANGUAGE,   /* title, language, device, kind in Vietnamese, in English */
    WORD_QUOTA,           /* unit, number, what in Vietnamese, in English (several) */
    WORDS,
};

const char *word_text(enum word word, bool vietnamese);

/* The Vietnamese noun for a kind of thing ("rule": "lịch phát"); the English one itself where there is none. */
const char *word_thing(const char *english);

#endif
