/* SPDX-License-Identifier: MIT */
/* Goal: docs/events.md says what schema.h says.  Method: compare the committed page with what
 * weir-events-doc prints, and look for every event, field and word in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "proto/events_doc.h"
#include "proto/stream_event_table.h"

static char page[262144], committed[262144];

static void setup(void)
{
	FILE *to = fmemopen(page, sizeof page, "w");
	long length;

	cr_assert(to);
	events_doc_write(to);
	length = ftell(to);
	cr_assert(length > 0 && (size_t)length < sizeof page - 1);
	(void)fclose(to);
}

Test(events_doc, the_committed_page_is_made_from_the_schema, .init = setup)
{
	const char *root = getenv("WEIR_SOURCE_ROOT");
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/docs/events.md", root ? root : "/nowhere");
	FILE *file = fopen(path, "re");

	cr_assert(file, "%s: set WEIR_SOURCE_ROOT to the top of the source tree", path);
	committed[fread(committed, 1, sizeof committed - 1, file)] = '\0';
	(void)fclose(file);
	cr_assert(strcmp(committed, page) == 0, "run: weir-events-doc > docs/events.md");
}

Test(events_doc, every_event_and_field_is_there, .init = setup)
{
	for (unsigned type = 0; type <= STREAM_EVENT_TYPE_MAX; type++) {
		const struct schema *schema = stream_event_schema(type);
		char text[256];

		if (!schema)
			continue;
		(void)snprintf(text, sizeof text, "\n### %s\n\nNumber %u, ", schema->name, type);
		char *at = strstr(page, text);

		cr_assert(at, "%s", schema->name);
		for (size_t i = 0; i < schema->field_count; i++) {
			(void)snprintf(text, sizeof text, "\n| `%s` | ", schema->fields[i].name);
			/* Those of the header stand once, in front of all events. */
			cr_assert(strstr(at, text) || strstr(page, text), "%s.%s", schema->name,
				  schema->fields[i].name);
		}
	}
	cr_assert_null(strchr(page, '?'), "an enumeration has no table on the page");
}

Test(events_doc, links_lead_somewhere, .init = setup)
{
	size_t links = 0;

	for (const char *at = page; (at = strstr(at, "](#")); at++) {
		char heading[80];

		(void)snprintf(heading, sizeof heading, "\n### %.*s\n", (int)strcspn(at + 3, ")"),
			       at + 3);
		cr_assert(strstr(page, heading), "%s", heading);
		links++;
	}
	cr_assert_gt(links, 20);
}
