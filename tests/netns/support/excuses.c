/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An excuse follows from what an engine is (docs/engines.md), and not from what
 * it does wrong, unless it says so. It names one test, or none where it holds for a whole file.
 */
#include <stddef.h>
#include <string.h>

#include <qsockets.h>

#include "excuses.h"

struct excuse {
	const char *group, *test;
	const char *reason;
	unsigned int engine;
	int used;
};

#define INPROC(group, test, reason) \
	{ group, test, reason, QOS_ENGINE_INPROC, 0 }

#define BANDS(group, test, reason) { group, test, reason, QOS_ENGINE_BANDS, 0 }

#define OWN_DEVICE "a process has one device of its own, whatever name is said"
#define OWN_CALLS "the calls are functions, no socket option is behind them"
#define OWN_ATTACHMENT "the attachment is the descriptor's, in this process"
#define OWN_QUEUE "the queue is the process's, and goes with it"
#define WAITS "who finds the queue full waits"
#define WHOLE_TCP \
	"a message of TCP is one unit: it leaves whole, and by its deadline"
#define LATER "an error of a delayed send is returned by the next call"
#define NO_ADMINISTRATOR "who sets it up is the program itself"

/* Bands: packets are judged as they come, by when they will leave. */
#define NOT_HELD "nothing is held back: what is early goes ahead or is dropped"
#define NOT_WHOLE "the packets of a frame go as they come, before its end"

static struct excuse excuses[] = {
	BANDS("fates", "the_messages_of_a_frame_share_its_fate", NOT_WHOLE),
	BANDS("info", "the_send_buffer_has_what_is_queued", NOT_HELD),
	BANDS("messages", "a_frame_is_one_unit_and_leaves_when_it_is_whole",
	      NOT_WHOLE),
	BANDS("messages", "the_next_frame_ends_one_that_was_not_ended",
	      NOT_WHOLE),
	BANDS("messages", "units_are_released_at_their_rate", NOT_HELD),
	BANDS("messages", "a_full_queue_leaves_room_for_best_effort", NOT_HELD),
	BANDS("messages", "a_stream_keeps_its_rate_under_a_flood",
	      "what a sender that had no CPU for 8 periods has to catch up "
	      "with is best effort, and may be lost there"),
	BANDS("messages", "a_frame_that_the_queue_cannot_hold_is_dropped_whole",
	      NOT_HELD),
	INPROC("admit", "wrong_options_are_refused", OWN_CALLS),
	INPROC("admit", "killing_the_owner_gives_back", OWN_DEVICE),
	INPROC("admit", "vds_promises_for_all_periods", NO_ADMINISTRATOR),
	INPROC("admit", "init_says_how_much", NO_ADMINISTRATOR),
	INPROC("admit", "init_takes_percent", NO_ADMINISTRATOR),
	INPROC("calls", "a_socket_that_is_not_attached_is_not_left_open",
	       OWN_DEVICE),
	INPROC("bad_input", "an_option_of_another_size_is_invalid", OWN_CALLS),
	INPROC("bad_input", "an_option_that_cannot_be_read_is_a_fault",
	       OWN_CALLS),
	INPROC("bad_input", "options_with_invalid_members_are_refused",
	       OWN_CALLS),
	INPROC("bad_input",
	       "options_on_a_socket_of_another_protocol_are_refused",
	       OWN_CALLS),
	INPROC("bad_input", "info_of_another_size_is_invalid", OWN_CALLS),
	INPROC("bad_input", "a_change_does_not_move_to_another_device",
	       OWN_DEVICE),
	INPROC("bad_input", "the_plain_errors_come_through", LATER),
	INPROC("bad_input",
	       "attach_where_nothing_was_initialised_says_what_to_do",
	       NO_ADMINISTRATOR),
	INPROC("bad_input", "a_host_without_a_manager_says_so_too",
	       NO_ADMINISTRATOR),
	INPROC("devices", NULL, OWN_DEVICE),
	INPROC("info", "the_send_buffer_has_what_is_queued", OWN_QUEUE),
	INPROC("info", "the_option_has_one_size", OWN_CALLS),
	INPROC("info", "memory_that_cannot_be_written_is_a_fault", OWN_CALLS),
	INPROC("init", "without_privilege_nothing_is_permitted",
	       NO_ADMINISTRATOR),
	INPROC("init", "a_device_has_to_be_there", OWN_DEVICE),
	INPROC("init", "a_device_has_to_be_named", OWN_DEVICE),
	INPROC("init", "the_kernel_has_to_have_bpf_qdiscs", NO_ADMINISTRATOR),
	INPROC("init", "who_cannot_attach_can_send", NO_ADMINISTRATOR),
	INPROC("life", "duplicates_share_the_stream", OWN_ATTACHMENT),
	INPROC("life", "killing_the_owner_leaves_what_is_queued", OWN_QUEUE),
	INPROC("life", "exiting_leaves_what_is_queued", OWN_QUEUE),
	INPROC("life", "a_child_keeps_the_stream_of_its_parent",
	       OWN_ATTACHMENT),
	INPROC("life", "a_socket_sent_to_another_process_is_its_stream",
	       OWN_ATTACHMENT),
	INPROC("life", "a_socket_on_its_way_keeps_its_stream", OWN_ATTACHMENT),
	INPROC("life", "the_stream_goes_with_exec", OWN_ATTACHMENT),
	INPROC("messages", "a_full_queue_leaves_room_for_best_effort", WAITS),
	INPROC("messages",
	       "a_frame_that_the_queue_cannot_hold_is_dropped_whole", WAITS),
	INPROC("messages", "a_stream_keeps_its_rate_under_a_flood",
	       "what other processes send is not scheduled"),
	INPROC("messages", "a_tcp_stream_is_late_but_loses_nothing", WHOLE_TCP),
	INPROC("tcp_messages", "the_message_that_is_due_first_goes_first",
	       WHOLE_TCP),
	INPROC("tcp_messages",
	       "an_urgent_message_does_not_overtake_its_connection", WHOLE_TCP),
	INPROC("tcp_messages", "only_what_was_written_has_the_deadline",
	       WHOLE_TCP),
	INPROC("tcp_messages", "mixing_calls_keeps_the_stream", WHOLE_TCP),
	INPROC("tcp_messages", "a_short_message_is_the_last_of_its_call",
	       WHOLE_TCP),
	INPROC("tcp_messages", "several_messages_of_one_call_have_their_own",
	       WHOLE_TCP),
	INPROC("tcp_messages", "what_is_sent_again_has_its_deadline",
	       WHOLE_TCP),
	INPROC("tcp_messages", "more_messages_than_can_be_marked_arrive",
	       OWN_CALLS),
	INPROC("tcp_messages", "every_message_with_a_cookie_has_one_fate",
	       WHOLE_TCP),
	INPROC("tcp_messages", "a_short_write_has_a_fate", WHOLE_TCP),
	INPROC("tcp_messages",
	       "a_socket_that_is_not_connected_gives_the_plain_error", LATER),
	INPROC("tcp_messages", "a_listening_socket_gives_the_plain_error",
	       LATER),
	INPROC("tcp_messages", "a_deadline_sets_no_option", WHOLE_TCP),
	INPROC("tcp_messages", "a_bad_mark_is_refused", OWN_CALLS),
};

static int names(const struct excuse *e, unsigned int engine, const char *group)
{
	return e->engine == engine && !strcmp(e->group, group);
}

const char *excuse_of(unsigned int engine, const char *group, const char *test)
{
	struct excuse *e;

	for (e = excuses; e < excuses + sizeof(excuses) / sizeof(*e); e++)
		if (names(e, engine, group) &&
		    (!e->test || !strcmp(e->test, test))) {
			e->used = 1;
			return e->reason;
		}
	return NULL;
}

const char *excuse_unused(unsigned int engine, const char *group)
{
	const struct excuse *e;

	for (e = excuses; e < excuses + sizeof(excuses) / sizeof(*e); e++)
		if (names(e, engine, group) && !e->used)
			return e->test ? e->test : e->group;
	return NULL;
}
