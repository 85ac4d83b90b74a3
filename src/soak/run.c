/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "soak/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "soak/child.h"
#include "soak/evidence.h"
#include "soak/judge.h"
#include "soak/run_private.h"
#include "util/clock.h"
#include "util/log.h"

#define POLL_NS (10 * NS_PER_MS)
/* A dying daemon fails a request (EIO, if it was being copied to it) before its end is seen. */
#define DEATH_NS (2 * NS_PER_SEC)
/* A cycle of a migration driver hardly takes longer. */
#define CYCLE_NS (2 * NS_PER_SEC)

static int signals_block(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR1);
	return sigprocmask(SIG_BLOCK, set, NULL);
}

static void stats_collect(struct run *run)
{
	struct report *r = run->report;
	struct ledger_counters *counters;

	if (run->workload) {
		workload_stats_get(run->workload, &r->workload);
		workload_failure_get(run->workload, &r->failure);
	}
	if (run->neighbour) {
		neighbour_stats_get(run->neighbour, &r->neighbour);
		neighbour_failure_get(run->neighbour, &r->neighbour_failure);
	}
	if (run->verifier)
		verifier_stats_get(run->verifier, &r->verifier);
	if (run->migrator) {
		migrator_total_get(run->migrator, &r->migration);
		for (r->drivers = 0; r->drivers < run->selection.count; r->drivers++)
			migrator_stats_get(run->migrator, r->drivers, &r->driver[r->drivers]);
	}
	if (run->target.ledger) {
		counters = ledger_counters(run->target.ledger);
		r->daemon_reads = atomic_load(&counters->verified);
		r->daemon_writes = atomic_load(&counters->writes);
		r->daemon_commits = atomic_load(&counters->commits);
		r->io_errors = atomic_load(&counters->io_errors) + r->verifier.io_errors;
		r->finding.count = atomic_load(&counters->mismatches);
	}
}

static void block_finding_take(struct run *run)
{
	struct report_finding *f = &run->report->finding;
	const struct ledger_finding *record;
	const void *expected, *found;
	uint64_t since;

	record = ledger_finding_get(run->target.ledger, 0, &expected, &found);
	if (!record)
		return;
	f->present = true;
	f->record.finding = record->finding;
	f->record.when_ns = record->when_ns;
	f->record.written_ns = record->written_ns;
	f->by_daemon = record->reporter != (uint32_t)getpid();
	memcpy(f->expected, expected, run->options->block_size);
	memcpy(f->found, found, run->options->block_size);
	since = run->report->injected ? run->report->injection.when_ns : record->written_ns;
	f->time_to_detect_ns = record->when_ns > since ? record->when_ns - since : 0;
}

static bool evidence_begin(struct run *run, enum run_evidence_state from)
{
	return atomic_compare_exchange_strong(&run->evidence, &from, RUN_EVIDENCE_BUSY);
}

static void evidence_keep(struct run *run, enum run_evidence_state then)
{
	const struct evidence_sources from = {
		.target = &run->target,
		.workload = run->workload,
		.kmsg = run->kmsg,
		.moves = run->moves,
		.ring = run->ring,
		.tasks = run->tasks,
	};

	if (evidence_begin(run, RUN_EVIDENCE_NONE))
		evidence_collect(run->report, &from);
	else if (evidence_begin(run, RUN_EVIDENCE_FAULT))
		evidence_add(run->report, &from);
	else
		return;
	atomic_store(&run->evidence, then);
}

void run_evidence(struct run *run)
{
	evidence_keep(run, RUN_EVIDENCE_WHOLE);
}

/* So that evidence shows what was found, and counters what it took to find it. */
static void migration_end(struct run *run)
{
	if (run->options->keep_going)
		return;
	run->stopping = true;
	if (!run->migrator)
		return;
	migrator_request_stop(run->migrator);
	/* Only a cycle that has ended says where pages were. */
	migrator_await(run->migrator, CYCLE_NS);
}

/* Takes the first finding over from whoever has it, once, and keeps the evidence. */
static void finding_take(struct run *run)
{
	struct report *r = run->report;

	if (r->finding.present || run->evidence == RUN_EVIDENCE_WHOLE)
		return;
	block_finding_take(run);
	if (!r->finding.present && r->failure.failed && r->failure.kind == WORKLOAD_MISMATCH)
		r->finding.present = r->finding.workload = true;
	if (!r->finding.present && !r->neighbour_failure.failed)
		return;
	migration_end(run);
	run_evidence(run);
}

/* Soon after, what the fault has left behind may keep everything from going on. */
static void fault_take(struct run *run)
{
	if (run->evidence != RUN_EVIDENCE_NONE)
		return;
	migration_end(run);
	evidence_keep(run, RUN_EVIDENCE_FAULT);
}

/* Of a run that had begun: what keeps one from beginning is told in a line. */
static void error_take(struct run *run)
{
	if (run->start_ns)
		fault_take(run);
}

static void injection_step(struct run *run, uint64_t elapsed)
{
	struct report *r = run->report;

	if (!run->inject || r->finding.present || elapsed < RUN_INJECT_AFTER_NS)
		return;
	/* A planted block that was given up before anyone read it tells nothing: plant again. */
	if (r->injected && !inject_overwritten(run->inject))
		return;
	if (inject_plant(run->inject, &r->injection) == 0)
		r->injected = true;
}

/* Looks at everything that may end a run early. Returns true if it must end. */
static bool run_watch(struct run *run)
{
	struct report *r = run->report;
	enum kmsg_class class = run->kmsg ? kmsg_poll(run->kmsg) : KMSG_QUIET;

	stats_collect(run);
	finding_take(run);
	if (class != KMSG_QUIET)
		snprintf(r->kmsg, sizeof(r->kmsg), "%s", kmsg_first(run->kmsg));
	r->kernel_fault =
		class == KMSG_FAULT || (class == KMSG_FILESYSTEM && run_neighbour_damaged(run));
	if (r->kernel_fault)
		fault_take(run);
	if (!target_alive(&run->target)) {
		char text[80];

		r->daemon_died = true;
		/* After a hang it was we who killed it. */
		if (!r->hung)
			snprintf(
				r->trouble, sizeof(r->trouble),
				"the daemon %s in the middle of the run",
				child_status_format(run->target.daemon_status, text, sizeof(text)));
		error_take(run);
		return true;
	}
	if (class == KMSG_DEVICE || class == KMSG_OOM)
		run_trouble(run, r->kmsg);
	else if (r->io_errors)
		run_trouble(run, "the device failed reads or writes: see the daemon's messages");
	if (r->neighbour_failure.failed && r->neighbour_failure.fault == NEIGHBOUR_TROUBLE)
		run_trouble(run, r->neighbour_failure.text);
	if (run_hang_watch(run))
		run_evidence(run);
	else if (r->trouble[0])
		error_take(run);
	if (run->options->keep_going && !r->hung)
		return false;
	return r->finding.present || r->neighbour_failure.failed || r->failure.failed ||
	       r->kernel_fault || r->trouble[0];
}

static void run_loop(struct run *run, const sigset_t *signals)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	uint64_t elapsed = 0;
	int signal;

	run->start_ns = clock_now_ns();
	while (elapsed < run->options->duration_ns) {
		signal = sigtimedwait(signals, NULL, &pause);
		if (signal == SIGUSR1) {
			run_outputs_status(run, elapsed);
		} else if (signal > 0) {
			run->report->interrupted = true;
			break;
		}
		elapsed = clock_now_ns() - run->start_ns;
		injection_step(run, elapsed);
		run_neighbour_step(run, elapsed);
		if (run_watch(run))
			break;
		run_outputs_step(run, elapsed);
	}
	run->report->duration_ns = clock_now_ns() - run->start_ns;
	status_end(&run->outputs.status);
}

/* A call failed: was it for the daemon's death? run_watch() sees that once it is complete. */
static void daemon_death_await(struct run *run)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	uint64_t end = clock_now_ns() + DEATH_NS;

	while (target_alive(&run->target) && clock_now_ns() < end)
		nanosleep(&pause, NULL);
}

/* Ends migration, workers (with their last verification) and verifiers, then looks once more. */
static void run_settle(struct run *run)
{
	if (run->report->hung && run->target.daemon)
		kill(run->target.daemon, SIGKILL); /* calls in progress end with ENOTCONN */
	run->stopping = true;
	if (run->workload)
		workload_request_stop(run->workload);
	if (run->neighbour)
		neighbour_request_stop(run->neighbour);
	if (run->migrator)
		migrator_stop(run->migrator);
	run_hang_progress(run);
	/* With a finding at hand, time is better spent on telling it. */
	if (run->workload && (run->report->finding.present || run->report->hung))
		workload_join(run->workload);
	else if (run->workload)
		workload_stop(run->workload);
	run_hang_progress(run);
	if (run->verifier) {
		verifier_stop(run->verifier);
		if (!run->report->finding.present && !run->report->hung)
			verifier_final_pass(run->verifier);
	}
	if (run->report->failure.failed && run->report->failure.kind == WORKLOAD_ERROR)
		daemon_death_await(run);
	if (run->target.ledger)
		run_watch(run);
}

static void parts_free(struct run *run)
{
	struct workload *workload = run->workload;
	struct migrator *migrator = run->migrator;
	struct verifier *verifier = run->verifier;
	struct tracering *ring = run->ring;
	struct movelog *moves = run->moves;

	RUN_PART_SET(run, workload, NULL);
	RUN_PART_SET(run, migrator, NULL);
	RUN_PART_SET(run, verifier, NULL);
	RUN_PART_SET(run, ring, NULL);
	RUN_PART_SET(run, moves, NULL);
	workload_free(workload);
	migrator_free(migrator);
	tracering_free(ring);
	movelog_free(moves);
	verifier_free(verifier);
}

static void run_end(struct run *run)
{
	struct sandbox *sandbox = run->sandbox;
	char why[256] = "";

	run_neighbour_end(run);
	if (run_hang_watch(run))
		run_evidence(run);
	inject_free(run->inject);
	parts_free(run);
	run_hang_progress(run);
	if (run->target.ledger && target_unmount(&run->target, why, sizeof(why)))
		run_trouble(run, why);
	if (run->sandbox)
		sandbox_note_process(run->sandbox, 0);
	target_close(&run->target);
	run->sandbox = NULL;
	if (sandbox && sandbox_destroy(sandbox))
		run_trouble(run, "something could not be put back: see the messages above");
	run_hang_end(run);
	kmsg_close(run->kmsg);
	free(run->tasks);
}

static int run_check(struct run *run)
{
	char why[512] = "";
	int rc = target_preflight(run->options, &run->target, why, sizeof(why));

	if (!rc)
		rc = migrate_select(run->options->migrate, &run->selection, why, sizeof(why));
	if (!rc && run->options->output)
		rc = evidence_prepare(run->options->output, why, sizeof(why));
	if (!rc)
		rc = run_outputs_begin(run, why, sizeof(why));
	if (rc)
		run_trouble(run, why);
	return rc;
}

void run_trouble(struct run *run, const char *text)
{
	/* The first cause counts; the rest follows from it. */
	if (!run->report->trouble[0])
		snprintf(run->report->trouble, sizeof(run->report->trouble), "%s", text);
}

enum verdict run_execute(const struct run_options *options, const struct run_way_out *way_out,
			 struct report *report)
{
	struct run run = {
		.options = options,
		.report = report,
		.way_out = way_out,
		.parts_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	sigset_t signals;

	memset(report, 0, sizeof(*report));
	report->options = options;
	report->start_s = (uint64_t)time(NULL);
	uname(&report->kernel);
	judge_minimum(options->duration_ns, options->neighbour && !options->profile.generic,
		      &report->minimum);
	signals_block(&signals);
	if (run_check(&run) == 0) {
		if (options->output)
			snprintf(report->evidence, sizeof(report->evidence), "%s", options->output);
		if (run_start(&run) == 0)
			run_loop(&run, &signals);
		run_settle(&run);
		run_end(&run);
	}
	judge_report(report);
	evidence_finish(report);
	run_outputs_end(&run);
	return report->verdict;
}
