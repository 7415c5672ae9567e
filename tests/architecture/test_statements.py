"""Statements that may stand nowhere: SQL built from strings, and commands that a shell reads.

The search is over the syntax tree. It follows a name to the strings it was given in the same module, so
that ``query = f"…"; execute(query)`` is found too.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "tools", "examples", "benchmarks", "docs")
FILES = sorted(
    file
    for folder in FOLDERS
    for file in (ROOT / folder).rglob("*.py")
    if not {".venv", "__pycache__", "node_modules"} & set(file.parts)
)

RUNS_SQL = frozenset({"execute", "executemany", "executescript", "copy", "stream", "SQL"})
RUNS_COMMANDS = frozenset({"run", "call", "check_call", "check_output", "Popen"})
SHELLS = frozenset(
    {
        "os.system",
        "os.popen",
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
        "asyncio.create_subprocess_shell",
    }
)


def findings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and reason of each statement that may not stand."""
    built = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.AugAssign)) and is_built(node.value, frozenset())
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        if last in RUNS_SQL and node.args and is_built(node.args[0], built):
            yield node.lineno, "SQL is built from strings"
        shells = [ast.unparse(k.value) for k in node.keywords if k.arg == "shell"]
        if name in SHELLS or (last in RUNS_COMMANDS and shells not in ([], ["False"])):
            yield node.lineno, "a shell reads the command"


def is_built(node: ast.expr, built: set[str] | frozenset[str]) -> bool:
    """Tell whether an expression puts text together from parts that are not all written there."""
    match node:
        case ast.JoinedStr(values=values):
            return any(isinstance(value, ast.FormattedValue) for value in values)
        case (
            ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str() | bytes()))
            | ast.Call(func=ast.Attribute(attr="join", value=ast.Constant(value=str())))
        ):
            return True
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            parts = (left, right)
            texts = [p for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
            return len(texts) == 1 or any(is_built(part, built) for part in parts)
        case ast.Call(func=ast.Attribute(attr="format", value=value)):
            return isinstance(value, ast.Constant) or is_built(value, built)
        case ast.Name(id=name):
            return name in built
    return False


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_sql_is_built_from_strings_and_no_shell_reads_a_command(folder: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {reason}"
        for file in FILES
        if file.is_relative_to(ROOT / folder)
        for line, reason in findings(ast.parse(file.read_text("utf-8")))
    ]
    assert found == []


def test_the_files_are_really_there() -> None:
    assert ROOT / "src/drystone/l00_kernel/errors.py" in FILES
    assert Path(__file__) in FILES


@pytest.mark.parametrize(
    "text",
    [
        "c.execute(f'select {x}')",
        "c.execute('select %s' % x)",
        "c.execute('select ' + x)",
        "c.execute(x + ' limit 1')",
        "c.execute('select {}'.format(x))",
        "c.execute(', '.join(x))",
        "await c.executemany(f'insert {x}', rows)",
        "q = f'select {x}'\nc.execute(q)",
        "q = 'select 1'\nq += f' where {x}'\nc.execute(q)",
        "sql.SQL(f'drop {x}')",
        "subprocess.run(x, shell=True)",
        "Popen(x, shell=y)",
        "os.system(x)",
        "await asyncio.create_subprocess_shell(x)",
    ],
)
def test_what_may_not_stand_is_found(text: str) -> None:
    body = text.replace("\n", "\n    ")
    assert len(list(findings(ast.parse(f"async def f():\n    {body}")))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "c.execute('select 1')",
        "c.execute('select %s', [x])",
        "c.execute('select 1 ' 'from t')",
        "c.execute('select 1 ' + 'from t')",
        "c.execute(sql.SQL('drop table {}').format(sql.Identifier(x)))",
        "c.execute(QUERIES['by_name'], x)",
        "subprocess.run([x], shell=False)",
        "api.execute(ctx, command=f'{x}')",
        "app.generate_completion(shell=x)",
    ],
)
def test_what_may_stand_is_left_alone(text: str) -> None:
    assert list(findings(ast.parse(text))) == []
