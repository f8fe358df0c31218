/*
 * What docs/protocol.md says before its methods.
 */
#ifndef DBGUEST_PROTOCOL_TEXT_H
#define DBGUEST_PROTOCOL_TEXT_H

extern const char protocol_before_reasons[];
extern const char protocol_after_reasons[];
extern const char protocol_notifications[];

/* By enum error_reason: when it comes, and what its data has beside the usual members. */
struct reason_text {
    const char *when;
    const char *data;
};
extern const struct reason_text protocol_reasons[];

#endif
