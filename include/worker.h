/*
 * A datastore program is main() and this.
 *
 *     PROGRAM describe         what it serves, as JSON on stdout
 *     PROGRAM read             one request on stdin, its result or error as a line on stdout
 *     PROGRAM run FOLDER       does the job in jobs/open/ID, once
 *     PROGRAM recover FOLDER   brings a job whose worker died to its end
 */
#ifndef DBGUEST_WORKER_H
#define DBGUEST_WORKER_H

struct datastore;

/* stores is NULL-ended. Returns the exit status of main(). */
int worker_main(int argc, char **argv, const struct datastore *const stores[]);

#endif
