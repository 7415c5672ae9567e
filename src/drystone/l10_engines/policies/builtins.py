"""The functions that policies may call: those that the evaluator is known to get right.

The evaluator lacks many functions of the language (OPA's ``policy-reference``) and, unless it is told to be strict, answers
*undefined* where one is called, in silence: "refuse unless the address lies in this range" then never refuses. So a call is
allowed by this list and by nothing else, and for each name on it the tests hold what it answers. What depends on anything but
its arguments (``time.now_ns``, ``rand.intn``, ``http.send``, ``opa.runtime``) stays away: the same change is judged the same
way whenever it is.

The evaluator keeps texts as JSON writes them: a quotation mark, a backslash and a line's end are two characters to ``count`` and
``contains``, which no rule on names, images and hosts meets. The functions on moments of time stay away too: the evaluator's ends the process in some of them.
"""

from __future__ import annotations

ALLOWED = frozenset(
    {
        # numbers
        "abs",
        "ceil",
        "floor",
        "round",
        "to_number",
        # collections
        "count",
        "max",
        "min",
        "product",
        "sort",
        "sum",
        "array.concat",
        "array.reverse",
        "array.slice",
        "intersection",
        "union",
        "object.filter",
        "object.get",
        "object.keys",
        "object.remove",
        "object.union",
        # texts
        "concat",
        "contains",
        "endswith",
        "indexof",
        "lower",
        "replace",
        "split",
        "sprintf",
        "startswith",
        "substring",
        "trim",
        "trim_left",
        "trim_prefix",
        "trim_right",
        "trim_space",
        "trim_suffix",
        "upper",
        "glob.match",
        "regex.match",
        # kinds
        "is_array",
        "is_boolean",
        "is_null",
        "is_number",
        "is_object",
        "is_set",
        "is_string",
        "type_name",
    }
)
