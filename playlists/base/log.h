/* log.h - lines for the technician, on stderr with journald's level prefixes ("<4>").
 *
 * A line says: subsystem, object, fact, consequence. The one who gives up logs, once. A line that repeats within a
 * minute is counted, and the count is printed when another line comes. Any thread but the audio thread. */
#ifndef LOA_LOG_H
#define LOA_LOG_H

enum log_level { LOG_LEVEL_ERR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Name of the program in each line (borrowed, must stay) and the highest level that is printed; INFO unless set. */
void log_setup(const char *program, enum log_level highest);

void log_line(enum log_level level, const char *subsystem, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_err(subsystem, ...)   log_line(LOG_LEVEL_ERR, subsystem, __VA_ARGS__)
#define log_warn(subsystem, ...)  log_line(LOG_LEVEL_WARN, subsystem, __VA_ARGS__)
#define log_info(subsystem, ...)  log_line(LOG_LEVEL_INFO, subsystem, __VA_ARGS__)
#define log_debug(subsystem, ...) log_line(LOG_LEVEL_DEBUG, subsystem, __VA_ARGS__)

#endif
