/*
 * What a call's parameters are compared by when its key comes again. Not a secret, and none is in
 * it: whoever makes two of his own calls meet has only himself to blame.
 */
#ifndef DBGUEST_DAEMON_DIGEST_H
#define DBGUEST_DAEMON_DIGEST_H

struct json_object;

/* 32 hex digits; the order of members does not matter. */
void digest_json(struct json_object *object, char digest[33]);

#endif
