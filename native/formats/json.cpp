// Recursive-descent JSON parser with exact offsets in its errors. Reads text only; touches no file.
#include "formats/json.h"

#include <charconv>
#include <cstring>
#include <unordered_set>

#include "core/error.h"
#include "formats/byte_view.h"
#include "formats/utf8.h"

namespace attune {

namespace {

constexpr int deepest = 64;

class JsonParser {
  public:
    JsonParser(std::string_view text, std::string_view source) : text_(text), source_(source) {}

    JsonValue parse_document() {
        JsonValue value = parse_value(0);
        skip_space();
        if (at_ != text_.size()) fail("the end of the text", at_);
        return value;
    }

  private:
    [[noreturn]] void fail(std::string_view expected, size_t offset) const {
        const bool ended = offset >= text_.size();
        raise(Code::Format, source_, " is broken JSON at byte ", offset, ": expected ", expected,
              " but found ", ended ? std::string("the end of the text") : quoted(text_.substr(offset, 1)),
              ".");
    }

    void skip_space() noexcept {
        while (at_ < text_.size() && std::strchr(" \t\n\r", text_[at_]) != nullptr && text_[at_] != '\0')
            ++at_;
    }

    bool take(char letter) noexcept {
        skip_space();
        if (at_ >= text_.size() || text_[at_] != letter) return false;
        ++at_;
        return true;
    }

    void expect(char letter, std::string_view name) {
        if (!take(letter)) fail(name, at_);
    }

    JsonValue parse_value(int depth) {
        skip_space();
        if (depth > deepest) {
            raise(Code::Format, source_, " is broken JSON at byte ", at_, ": expected nesting of at most ",
                  deepest, " but found more.");
        }
        if (at_ >= text_.size()) fail("a value", at_);
        switch (text_[at_]) {
            case '{':
                return JsonValue(parse_object(depth));
            case '[':
                return JsonValue(parse_array(depth));
            case '"':
                return JsonValue(parse_string());
            case 't':
                return parse_word("true", true);
            case 'f':
                return parse_word("false", false);
            case 'n':
                return parse_word("null", nullptr);
            default:
                return parse_number();
        }
    }

    JsonValue parse_word(std::string_view word, JsonValue::Content content) {
        if (text_.substr(at_, word.size()) != word) fail("a value", at_);
        at_ += word.size();
        return JsonValue(std::move(content));
    }

    JsonArray parse_array(int depth) {
        JsonArray items;
        ++at_;
        if (take(']')) return items;
        do items.push_back(parse_value(depth + 1));
        while (take(','));
        expect(']', "\",\" or \"]\"");
        return items;
    }

    JsonObject parse_object(int depth) {
        JsonObject members;
        std::unordered_set<std::string> names;
        ++at_;
        if (take('}')) return members;
        do {
            skip_space();
            const size_t start = at_;
            if (at_ >= text_.size() || text_[at_] != '"') fail("a name in double quotes", at_);
            std::string name = parse_string();
            if (!names.insert(name).second) {
                raise(Code::Format, source_, " is broken JSON at byte ", start,
                      ": expected every name once but found ", quoted(name), " twice.");
            }
            expect(':', "\":\"");
            members.emplace_back(std::move(name), parse_value(depth + 1));
        } while (take(','));
        expect('}', "\",\" or \"}\"");
        return members;
    }

    std::string parse_string() {
        const size_t start = at_++;
        std::string out;
        while (true) {
            const size_t run = at_;
            while (at_ < text_.size() && static_cast<uint8_t>(text_[at_]) >= 0x20 && text_[at_] != '"' &&
                   text_[at_] != '\\') {
                ++at_;
            }
            out.append(text_.substr(run, at_ - run));
            if (at_ >= text_.size()) fail("a closing double quote", at_);
            if (static_cast<uint8_t>(text_[at_]) < 0x20) fail("an escaped control character", at_);
            if (text_[at_++] == '"') break;
            parse_escape(out);
        }
        if (const int64_t bad = first_invalid_utf8(out); bad >= 0) {
            raise(Code::Format, source_, " is broken JSON at byte ", start,
                  ": expected a string in UTF-8 but found ", quoted(out), ".");
        }
        return out;
    }

    void parse_escape(std::string& out) {
        if (at_ >= text_.size()) fail("an escape", at_);
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        const char letter = text_[at_++];
        if (letter != 'u') {
            const size_t which = letters.find(letter);
            if (which == std::string_view::npos) fail("an escape", at_ - 1);
            out += meanings[which];
            return;
        }
        uint32_t code_point = parse_four_digits();
        if (code_point >= 0xd800 && code_point < 0xdc00) {
            const size_t low_at = at_;
            if (text_.substr(at_, 2) != "\\u") fail("the second half of a surrogate pair", at_);
            at_ += 2;
            const uint32_t low = parse_four_digits();
            if (low < 0xdc00 || low > 0xdfff) fail("the second half of a surrogate pair", low_at);
            code_point = 0x10000 + ((code_point - 0xd800) << 10) + (low - 0xdc00);
        } else if (code_point >= 0xdc00 && code_point < 0xe000) {
            fail("the first half of a surrogate pair", at_ - 6);
        }
        append_utf8(out, code_point);
    }

    uint32_t parse_four_digits() {
        uint32_t value = 0;
        const std::string_view digits = text_.substr(at_, 4);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (error != std::errc() || end != digits.data() + 4) fail("four hexadecimal digits", at_);
        at_ += 4;
        return value;
    }

    size_t skip_digits() noexcept {
        const size_t start = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        return at_ - start;
    }

    JsonValue parse_number() {
        const size_t start = at_;
        const auto here = [this](char letter) { return at_ < text_.size() && text_[at_] == letter; };
        if (here('-')) ++at_;
        const bool leading_zero = here('0');
        const size_t digits = skip_digits();
        if (digits == 0) fail("a value", start);
        if (leading_zero && digits > 1) fail("a number without leading zeros", start);
        bool whole = true;
        if (here('.')) {
            whole = false;
            ++at_;
            if (skip_digits() == 0) fail("a digit", at_);
        }
        if (here('e') || here('E')) {
            whole = false;
            ++at_;
            if (here('+') || here('-')) ++at_;
            if (skip_digits() == 0) fail("a digit", at_);
        }
        return convert_number(text_.substr(start, at_ - start), whole, start);
    }

    JsonValue convert_number(std::string_view digits, bool whole, size_t offset) const {
        const char* end = digits.data() + digits.size();
        if (whole) {
            int64_t exact = 0;
            if (std::from_chars(digits.data(), end, exact).ec == std::errc()) return JsonValue(exact);
            uint64_t large = 0;
            if (digits[0] != '-' && std::from_chars(digits.data(), end, large).ec == std::errc()) {
                return JsonValue(large);
            }
        }
        double value = 0;
        const auto result = std::from_chars(digits.data(), end, value);
        if (result.ec != std::errc()) fail("a number that a double can hold", offset);
        return JsonValue(value);
    }

    std::string_view text_;
    std::string_view source_;
    size_t at_ = 0;
};

}  // namespace

const JsonValue* JsonValue::member(std::string_view name) const noexcept {
    const JsonObject* members = object();
    if (members == nullptr) return nullptr;
    for (const auto& [key, value] : *members) {
        if (key == name) return &value;
    }
    return nullptr;
}

const char* JsonValue::kind() const noexcept {
    constexpr const char* kinds[] = {"null",     "true or false", "a whole number", "a whole number",
                                     "a number", "a string",      "an array",       "an object"};
    return kinds[content_.index()];
}

JsonValue parse_json(std::string_view text, std::string_view source) {
    return JsonParser(text, source).parse_document();
}

std::string json_quoted(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char letter : text) {
        if (letter == '"' || letter == '\\') {
            out += '\\';
            out += letter;
        } else if (static_cast<uint8_t>(letter) < 0x20) {
            out += "\\u00";
            out += digits[static_cast<uint8_t>(letter) >> 4];
            out += digits[static_cast<uint8_t>(letter) & 15];
        } else {
            out += letter;
        }
    }
    return out + '"';
}

}  // namespace attune
