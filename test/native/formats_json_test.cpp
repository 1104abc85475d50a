// Checks of the JSON reader: exact values, exact offsets, strictness.
#include "formats/json.h"

#include "formats_check.h"

namespace attune::formats_test {

namespace {

void check_rejected(const std::string& claim, std::string_view text,
                    std::initializer_list<std::string_view> words) {
    check_error(claim, Code::Format, words, [text] { parse_json(text, "index.json"); });
}

void test_values() {
    const JsonValue root =
        parse_json(R"( {"a": [1, -2.5e3, true, false, null], "é": "x\n\u00e9\ud83d\ude00\/"} )", "t");
    const JsonArray& a = *root.member("a")->array();
    check("a whole number is an integer", *a[0].integer() == 1);
    check("a number with an exponent is a double", std::get<double>(a[1].content()) == -2500.0);
    check("true, false and null are told apart", std::get<bool>(a[2].content()) &&
                                                     !std::get<bool>(a[3].content()) &&
                                                     a[4].kind() == std::string("null"));
    check("escapes and surrogate pairs become UTF-8", *root.member("é")->string() == "x\né😀/");
    check("a missing member is nullptr", root.member("b") == nullptr);
    const JsonValue large = parse_json("[9223372036854775807, 9007199254740993, 18446744073709551615]", "t");
    check("2^63 - 1 is exact", *(*large.array())[0].integer() == INT64_MAX);
    check("2^53 + 1 is exact", *(*large.array())[1].integer() == 9007199254740993);
    check("2^64 - 1 is exact", std::get<uint64_t>((*large.array())[2].content()) == UINT64_MAX);
    check("a quoted string reads back",
          *parse_json(json_quoted("a\"\\\n\x01é"), "t").string() == "a\"\\\n\x01é");
}

}  // namespace

void test_json() {
    test_values();
    check_rejected("a missing colon is found at its byte", "{\"a\" 1}",
                   {"index.json", "byte 5", "\":\"", "\"1\""});
    check_rejected("an unfinished array is found", "[1, 2", {"byte 5", "\"]\"", "the end of the text"});
    check_rejected("a trailing comma is found", "[1,]", {"byte 3", "a value", "\"]\""});
    check_rejected("text after the value is found", "{} x", {"byte 3", "the end of the text", "\"x\""});
    check_rejected("a name given twice is found", "{\"a\":1,\"a\":2}", {"byte 7", "once", "\"a\" twice"});
    check_rejected("an empty text is found", "", {"byte 0", "a value"});
    check_rejected("a NaN is found", "[NaN]", {"byte 1", "a value", "\"N\""});
    check_rejected("a leading zero is found", "[01]", {"byte 1", "leading zeros"});
    check_rejected("a bare point is found", "[1.]", {"byte 3", "a digit"});
    check_rejected("a raw control character is found", "[\"a\nb\"]",
                   {"byte 3", "control character", "\\x0a"});
    check_rejected("half of a surrogate pair is found", "[\"\\ud800x\"]", {"byte 8", "second half"});
    check_rejected("the second half alone is found", "[\"\\udc00\"]", {"byte 2", "first half"});
    check_rejected("bytes that are no UTF-8 are found", "[\"\xff\"]", {"byte 1", "UTF-8", "\\xff"});
    check_rejected("an overlong form is found", "[\"\xc0\x80\"]", {"UTF-8"});
    check_rejected("a number beyond double is found", "[1e999]", {"byte 1", "a double can hold"});
    check_rejected("nesting without end is found", std::string(100000, '['), {"at most 64"});
}

}  // namespace attune::formats_test
