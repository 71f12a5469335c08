# Flattens the part of YAML that seeds are written in (block and flow mappings and sequences, JSON, quoted and
# plain scalars, comments) into lines "path<TAB>value"; "a: [x, {b: y}]" gives "a/0 x" and "a/1/b y".
# Text of literal blocks (| and >), anchors and tags is passed over.

function trim(text) { gsub(/^[ \t\r\n]+|[ \t\r\n]+$/, "", text); return text }

function unquote(text) {
    text = trim(text)
    if (text ~ /^".*"$/ || text ~ /^'.*'$/) text = substr(text, 2, length(text) - 2)
    return text
}

function join_path(base, key) { return base == "" ? key : base "/" key }

function emit(path, text) { print path "\t" unquote(text) }

# Cuts a comment off a line of block style; a # inside quotes or a word is not one.
function without_comment(text,    i, c, quote, out) {
    quote = ""; out = ""
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (quote != "") { if (c == quote) quote = "" }
        else if (c == "\"" || c == "'") quote = c
        else if (c == "#" && (i == 1 || substr(text, i - 1, 1) ~ /[ \t]/)) break
        out = out c
    }
    return out
}

# How many brackets of flow style are still open at the end of the text.
function open_brackets(text,    i, c, quote, depth) {
    quote = ""; depth = 0
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (quote != "") { if (c == quote) quote = "" }
        else if (c == "\"" || c == "'") quote = c
        else if (c == "[" || c == "{") depth++
        else if (c == "]" || c == "}") depth--
    }
    return depth
}

# Where the ":" is that ends a key (0 when there is none): followed by a blank or the end, or after a quoted key.
function key_end(text,    i, c, quote) {
    quote = ""
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (quote != "") { if (c == quote) quote = "" }
        else if (c == "\"" || c == "'") quote = c
        else if (c == "[" || c == "{") return 0
        else if (c == ":" && (i == length(text) || substr(text, i + 1, 1) ~ /[ \t\n]/ ||
                              substr(text, i - 1, 1) == "\"")) return i
    }
    return 0
}

# Flattens one value in flow style.
function flow(path, text,    i, c, quote, depth, item, index_, kind, colon) {
    text = trim(text)
    kind = substr(text, 1, 1)
    if (kind != "[" && kind != "{") { if (text != "") emit(path, text); return }
    text = substr(text, 2, length(text) - 2) ","
    quote = ""; depth = 0; item = ""; index_ = 0
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (quote != "") { if (c == quote) quote = "" }
        else if (c == "\"" || c == "'") quote = c
        else if (c == "[" || c == "{") depth++
        else if (c == "]" || c == "}") depth--
        else if (c == "," && depth == 0) {
            item = trim(item)
            if (item != "" && kind == "[") flow(join_path(path, index_++), item)
            if (item != "" && kind == "{" && (colon = key_end(item)) > 0)
                flow(join_path(path, unquote(substr(item, 1, colon - 1))), substr(item, colon + 1))
            item = ""
            continue
        }
        item = item c
    }
}


function enter(indent, path) { level++; level_indent[level] = indent; level_path[level] = path }

# One "key: value", "- item" or value at this indent.
function block(indent, text,    path, count, colon, rest, blanks) {
    if (text ~ /^-([ \t]|$)/) {
        # A list may stand at the indent of its own key: then the key is its parent, and not left.
        while (level > 0 && (level_indent[level] > indent ||
                             (level_indent[level] == indent && level_is_item[level]))) {
            level_is_item[level] = 0; level--
        }
        path = level_path[level]
        count = list_length[path]++
        enter(indent, join_path(path, count)); level_is_item[level] = 1
        rest = substr(text, 2); blanks = match(rest, /[^ \t]/)
        if (blanks > 0) block(indent + blanks, substr(rest, blanks))
        return
    }
    while (level > 0 && level_indent[level] >= indent) { level_is_item[level] = 0; level-- }
    colon = key_end(text)
    if (colon == 0) { flow(level_path[level], text); return }
    path = join_path(level_path[level], unquote(substr(text, 1, colon - 1)))
    rest = trim(substr(text, colon + 1))
    if (rest == "") { enter(indent, path); return }
    if (rest ~ /^[|>][-+0-9]*$/) { literal_indent = indent; in_literal = 1; return }
    flow(path, rest)
}

BEGIN { level = 0; level_path[0] = ""; pending = ""; in_literal = 0 }

{
    sub(/\r$/, "")
    if (in_literal) {
        if ($0 ~ /^[ \t]*$/ || match($0, /[^ ]/) - 1 > literal_indent) next
        in_literal = 0
    }
    line = without_comment($0)
    if (line ~ /^[ \t]*$/ || line ~ /^(---|\.\.\.)[ \t]*$/) next
    if (pending != "") line = pending " " trim(line)
    if (open_brackets(line) > 0) { pending = line; next }
    pending = ""
    block(match(line, /[^ ]/) - 1, trim(line))
}
