/*
 * The methods that the daemon answers itself. Each answers its request, now or later.
 */
#ifndef DBGUEST_DAEMON_AGENT_H
#define DBGUEST_DAEMON_AGENT_H

struct request;

void agent_info(struct request *request);
void agent_ping(struct request *request);
void agent_metrics(struct request *request);
void agent_subscribe(struct request *request);
void agent_discover(struct request *request);

void agent_job_list(struct request *request);
void agent_job_show(struct request *request);
void agent_job_wait(struct request *request);
void agent_job_cancel(struct request *request);
void agent_job_report(struct request *request);

#endif
