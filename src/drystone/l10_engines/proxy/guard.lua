-- What the edge looks at before it sends a request of a way in to a service. docs/reference/guard.md says the same in words.
local MOST_URL, MOST_HEADER = 8192, 16384
local METHODS = {
  GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true, OPTIONS = true,
}

-- Rule, whether the path counts too, what must be there for any of the patterns, and these. Most requests have none of the
-- third, so that they cost little.
local RULES = {
  {"traversal", true, "%.%.", {"%.%.[/\\]", "[/\\]%.%.$"}},
  {"traversal", true, "/[ep][tr][co]", {"/etc/passwd", "/etc/shadow", "/proc/self/"}},
  {"traversal", true, ":\\", {"[a-z]:\\windows\\"}},
  -- "credit union select account" is English: what follows tells it apart.
  {"sql-injection", false, "union select ", {
    "union select [%d'\"@(*]", "union select null", "union select [%w_.]+ ?,", "union select [%w_.]+ from [%w_]",
  }},
  {"sql-injection", false, "['\"]", {
    "['\"] ?or ['\"]?[%w_ ]-['\"]? ?[=<>]", "['\"] ?and ['\"]?[%w_ ]-['\"]? ?[=<>]",
    "['\"] ?%-%- ?$", "['\"] ?%-%- ?&",
  }},
  {"sql-injection", false, "%d [oa]n?[rd] %d", {"%d or %d+ ?= ?%d", "%d and %d+ ?= ?%d"}},
  {"sql-injection", false, ";", {
    "; ?drop table", "; ?drop database", "; ?delete from", "; ?insert into", "; ?update [%w_]+ set",
    "; ?exec ", "; ?shutdown",
  }},
  {"sql-injection", false, "%(", {
    "pg_sleep ?%(", "sleep ?%( ?%d", "benchmark ?%( ?%d", "load_file ?%(",
  }},
  {"sql-injection", false, "[xi][pn][_tf][co]", {
    "xp_cmdshell", "information_schema%.", "into outfile", "into dumpfile",
  }},
  {"sql-injection", false, "waitfor delay", {"waitfor delay"}},
  {"cross-site-scripting", false, "<", {
    "<script[%s>/]", "<script$", "</script", "<iframe[%s>/]", "<object[%s>/]", "<embed[%s>/]",
  }},
  {"cross-site-scripting", false, "[ta]:", {"javascript:[^%s]", "vbscript:[^%s]", "data:text/html"}},
}

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Everything below takes a time that grows with the length of the text and not with its square, whatever the text: a worker
-- of the proxy does nothing else meanwhile. So no pattern runs over what another one has begun with.
local function without_comments(text)
  local kept, from = {}, 1
  while true do
    local begun = text:find("/*", from, true)
    local ended = begun and text:find("*/", begun + 2, true)
    if not ended then
      kept[#kept + 1] = text:sub(from)
      return table.concat(kept, " ")
    end
    kept[#kept + 1] = text:sub(from, begun - 1)
    from = ended + 2
  end
end

-- Twice, since what decodes an escape of an escape is common; blanks, comments of SQL and letters in one form.
local function plain(text)
  local found = decoded(decoded((text:gsub("%+", " ")))):lower()
  found = without_comments(found):gsub("[%s%z]+", " ")
  return (found:gsub("union all select", "union select"):gsub("union distinct select", "union select"))
end

-- Tells whether a tag has an attribute that runs a script.
local function has_handler(text)
  local from = text:find("<[a-z]")
  while from do
    local to = text:find("[<>]", from + 1) or #text
    if text:sub(from, to):find("[%s/'\"]on[a-z]+ ?=") then
      return true
    end
    from = text:find("<[a-z]", to)
  end
  return false
end

local function meets(text, rule)
  if not text:find(rule[3]) then
    return false
  end
  for _, pattern in ipairs(rule[4]) do
    if text:find(pattern) then
      return true
    end
  end
  return false
end

local function matched(path, query)
  local in_path, in_query = plain(path), query and plain(query) or ""
  for _, rule in ipairs(RULES) do
    if meets(in_query, rule) or (rule[2] and meets(in_path, rule)) then
      return rule[1]
    end
  end
  return has_handler(in_query) and "cross-site-scripting" or nil
end

local function too_much(handle, target)
  if #target > MOST_URL then
    return "url-too-long", "414"
  end
  for name, value in pairs(handle:headers()) do
    if #value > MOST_HEADER and name ~= ":path" then
      return "header-too-long", "431"
    end
  end
  if not METHODS[handle:headers():get(":method")] then
    return "method", "405"
  end
  return nil
end

-- Returns the rule that a request meets and the status that says so; nothing when it meets none.
local function judged(handle)
  local target = handle:headers():get(":path") or "/"
  local at = target:find("?", 1, true)
  local path, query = target, nil
  if at then
    path, query = target:sub(1, at - 1), target:sub(at + 1)
  end
  -- What leads to a service must mean the same to it: this holds whether anything else is looked at or not.
  if path:find("\\", 1, true) or path:find("%%2[fF]") or path:find("%%5[cC]") or path:find("%%00") then
    return "ambiguous-path", "400", true
  end
  if path:find("//", 1, true) then
    path = path:gsub("//+", "/")
    handle:headers():replace(":path", query and (path .. "?" .. query) or path)
    handle:clearRouteCache()
  end
  local mode = handle:metadata():get("mode")
  if mode ~= "on" and mode ~= "report" then
    return nil
  end
  local rule, status = too_much(handle, target)
  if not rule then
    rule, status = matched(path, query), "403"
  end
  return rule, status, mode == "on"
end

function envoy_on_request(handle)
  local is_sound, rule, status, is_refused = pcall(judged, handle)
  if not is_sound then
    -- A mistake of the rules lets nothing through unseen.
    handle:logErr("guard: " .. tostring(rule))
    rule, status, is_refused = "error", "500", true
  end
  if rule then
    handle:streamInfo():dynamicMetadata():set("drystone.guard", "rule", rule)
    if is_refused then
      handle:respond({[":status"] = status}, "guard: " .. rule)
    end
  end
end
