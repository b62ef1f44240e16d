/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: which of the usual objects each operator means, and what is no filter. */
#include <stdio.h>

#include "harness.h"
#include "weaviate_kit.h"

/* Expects that these of the usual objects are meant, by their number. */
static void expect(struct web *w, const char *where, const char *digits)
{
	char arguments[1000];

	snprintf(arguments, sizeof(arguments), "where:{%s}", where);
	weaviate_kit_find(w, arguments, digits);
}

#define WHERE(operator, path, value) "operator:" operator" path:[\"" path "\"] " value

static void filter(struct web *w)
{
	static const struct {
		const char *where, *digits;
	} rows[] = {
		{WHERE("Equal", "n", "valueInt:3"), "3"},
		{WHERE("NotEqual", "n", "valueInt:3"), "1245"},
		{WHERE("GreaterThan", "n", "valueInt:3"), "45"},
		{WHERE("GreaterThanEqual", "n", "valueInt:3"), "345"},
		{WHERE("LessThan", "x", "valueNumber:3"), "12"},
		{WHERE("LessThanEqual", "x", "valueNumber:3.5"), "123"},
		{WHERE("Equal", "good", "valueBoolean:true"), "135"},
		{WHERE("Equal", "name", "valueText:\"THREE\""), "3"},
		{WHERE("Equal", "name", "valueString:\"thing\""), "12345"},
		{WHERE("Equal", "name", "valueText:\"three thing\""), "3"},
		{WHERE("Equal", "tags", "valueText:\"odd\""), "135"},
		{WHERE("Like", "name", "valueText:\"t*\""), "12345"},
		{WHERE("Like", "name", "valueText:\"f?ur\""), "4"},
		{WHERE("GreaterThan", "born", "valueDate:\"2003-06-01T00:00:00Z\""), "45"},
		{WHERE("Equal", "key", "valueText:\"" ID("92") "\""), "2"},
		{WHERE("Equal", "id", "valueText:\"" ID("02") "\""), "2"},
		{WHERE("NotEqual", "_id", "valueText:\"" ID("02") "\""), "1345"},
		{WHERE("ContainsAny", "n", "valueInt:[2,4,9]"), "24"},
		{WHERE("ContainsAny", "tags", "valueText:[\"odd\",\"none\"]"), "135"},
		{WHERE("ContainsAll", "tags", "valueText:[\"odd\",\"all\"]"), "135"},
		{WHERE("ContainsNone", "tags", "valueText:[\"odd\",\"none\"]"), "24"},
		{WHERE("ContainsAny", "id", "valueText:[\"" ID("01") "\",\"" ID("05") "\"]"), "15"},
		{WHERE("IsNull", "to", "valueBoolean:true"), "12345"},
		{WHERE("IsNull", "name", "valueBoolean:true"), ""},
		{WHERE("IsNull", "name", "valueBoolean:false"), "12345"},
		{WHERE("WithinGeoRange", "at",
		       "valueGeoRange:{geoCoordinates:{latitude:21 "
		       "longitude:10} distance:{max:200000}}"),
		 "2"},
		{"operator:And operands:[{" WHERE("GreaterThan", "n", "valueInt:1") "} {" WHERE(
			 "LessThan", "n", "valueInt:4") "}]",
		 "23"},
		{"operator:Or operands:[{" WHERE("Equal", "n", "valueInt:1") "} {" WHERE(
			 "Equal", "n", "valueInt:4") "}]",
		 "14"},
		{"operator:Not operands:[{" WHERE("Equal", "good", "valueBoolean:true") "}]", "24"},
		{"operator:And operands:[{operator:Not operands:[{" WHERE(
			 "Equal", "n", "valueInt:2") "}]} {" WHERE("Equal", "good",
								   "valueBoolean:false") "}]",
		 "4"},
	};

	weaviate_kit_fill(w);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++)
		expect(w, rows[i].where, rows[i].digits);
}

TEST(operators_mean_what_they_say)
{
	weaviate_kit_run(filter, NULL);
}

/* Texts of one token for all of them, and with capitals. */
static void tokens(struct web *w)
{
	static const char *const tokenizations[] = {"word", "lowercase", "whitespace", "field"};
	/* Found by: "two", "TWO", "Two,", "One Two, three". */
	static const char *const found[] = {"1111", "0011", "0011", "0001"};
	static const char *const asked[] = {"two", "TWO", "Two,", "One Two, three"};

	for (int i = 0; i < 4; i++) {
		char body[500];

		snprintf(body, sizeof(body),
			 "{\"class\":\"T%d\",\"properties\":[{\"name\":\"t\","
			 "\"dataType\":[\"text\"],\"tokenization\":\"%s\"}]}",
			 i, tokenizations[i]);
		weaviate_kit_expect(w, "POST", "/v1/schema", body, 200, NULL);
		snprintf(body, sizeof(body),
			 "{\"class\":\"T%d\",\"properties\":{\"t\":"
			 "\"One Two, three\"}}",
			 i);
		weaviate_kit_expect(w, "POST", "/v1/objects", body, 200, NULL);
		for (int k = 0; k < 4; k++) {
			char query[300], data[100];

			snprintf(query, sizeof(query),
				 "{Aggregate{T%d(where:{path:[\"t\"] "
				 "operator:Equal valueText:\"%s\"}){meta{count}}}}",
				 i, asked[k]);
			snprintf(data, sizeof(data),
				 "{\"Aggregate\":{\"T%d\":[{\"meta\":{\"count\":"
				 "%c}}]}}",
				 i, found[i][k]);
			weaviate_kit_query(w, query, data);
		}
	}
}

TEST(texts_are_compared_by_their_tokens)
{
	weaviate_kit_run(tokens, NULL);
}

static void refuse(struct web *w)
{
	static const struct {
		const char *where, *part;
	} rows[] = {
		{"", "an object with an operator is expected"},
		{"operator:7", "an object with an operator is expected"},
		{WHERE("Near", "n", "valueInt:1"), "unrecognized operator: Near"},
		{WHERE("Equal", "no", "valueInt:1"), "no such prop with name 'no'"},
		{"operator:Equal valueInt:1", "path: a list with the name of a property"},
		{"operator:Equal path:[\"to\",\"Thing\",\"n\"] valueInt:1", "over references"},
		{WHERE("Equal", "n", ""), "got operator with no value"},
		{WHERE("Equal", "n", "valueInt:1 valueNumber:1"), "several values"},
		{WHERE("Equal", "n", "valueNumber:1"), "use \\\"valueInt\\\" instead"},
		{WHERE("Equal", "n", "valueInt:\"1\""), "a number is expected"},
		{WHERE("Equal", "n", "valueInt:[1,2]"), "Equal takes one value"},
		{WHERE("Equal", "name", "valueText:1"), "a text is expected"},
		{WHERE("Equal", "good", "valueBoolean:1"), "true or false is expected"},
		{WHERE("Equal", "key", "valueText:\"x\""), "is no UUID"},
		{WHERE("Equal", "id", "valueText:\"x\""), "UUIDs are expected"},
		{WHERE("Equal", "born", "valueDate:\"x\""), "is no date"},
		{WHERE("Equal", "at", "valueText:\"x\""), "use \\\"valueGeoRange\\\" instead"},
		{WHERE("Equal", "to", "valueText:\"x\""), "cannot be filtered"},
		{WHERE("Like", "n", "valueText:\"x\""), "Like is for"},
		{WHERE("IsNull", "n", "valueInt:1"), "IsNull takes"},
		{WHERE("GreaterThan", "good", "valueBoolean:true"), "are for numbers"},
		{WHERE("ContainsAny", "n", "valueInt:[]"), "that is not empty"},
		{WHERE("WithinGeoRange", "n", "valueGeoRange:{}"), "WithinGeoRange is for"},
		{WHERE("WithinGeoRange", "at", "valueGeoRange:{}"), "is expected, with numbers"},
		{WHERE("WithinGeoRange", "at",
		       "valueGeoRange:{geoCoordinates:{latitude:99 "
		       "longitude:0} distance:{max:1}}"),
		 "message"},
		{"operator:And", "need operands"},
		{"operator:Or operands:[]", "need operands"},
	};

	weaviate_kit_fill(w);
	for (size_t i = 0; i < SL_ARRAY_SIZE(rows); i++) {
		char query[1000];

		snprintf(query, sizeof(query), "{Get{Thing(where:{%s}){n}}}", rows[i].where);
		weaviate_kit_wrong(w, query, rows[i].part);
	}
}

TEST(filters_that_cannot_be_are_refused)
{
	weaviate_kit_run(refuse, NULL);
}

/* ---- without an index --------------------------------------------------------------------- */

static void filter_without_index(struct web *w)
{
	weaviate_kit_expect(w, "POST", "/v1/schema",
			    "{\"class\":\"Bare\",\"properties\":[{\"name\":\"n\","
			    "\"dataType\":[\"int\"],"
			    "\"indexFilterable\":false}]}", 200, "\"indexFilterable\":false");
	weaviate_kit_expect(w, "POST", "/v1/batch/objects",
			    "{\"objects\":[{\"class\":\"Bare\",\"properties\":{\"n\":1}},"
			    "{\"class\":\"Bare\",\"properties\":{\"n\":2}}]}", 200, "SUCCESS");
	weaviate_kit_query(w, "{Get{Bare(where:{path:[\"n\"],operator:GreaterThan,"
			      "valueInt:1}){n}}}",
			   "{\"Get\":{\"Bare\":[{\"n\":2}]}}");
}

TEST(a_filter_needs_no_index)
{
	weaviate_kit_run(filter_without_index, NULL);
}

TEST_HARNESS_MAIN
