"""Keys: timed, rotated, stolen with their file, weak, expired; and files of keys that are of no use."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.client import one_answer, read_all
from tests.attacks.service.own import LIMITS, Workshop, configuration, questions_about_people, target_of
from tests.attacks.service.separable import difference
from tests.attacks.service.starts import refused_start
from tests.attacks.service.target import Target

from sekisho.serving.guards.keys import KeyRing, new_key

KINDS = auth = Chapter("auth")
SHARED = (0, 8, 31)
"""Leading bytes that a guess has right."""

K03 = auth(
    "K03",
    ("Timing of the key check", "鍵の照合にかかる時間"),
    (
        "the means of tries that share 0, 8 and 31 leading bytes cannot be told apart",
        "先頭の一致が 0・8・31 バイトの試行を平均時間で区別できない",
    ),
)
K05 = auth(
    "K05",
    ("Key rotation", "鍵の更新"),
    (
        "a revoked key is refused by all workers within 5 s, without a restart; no good request is refused",
        "失効した鍵は再起動なしで 5 秒以内に全ワーカーが拒否。正しいリクエストは拒否しない",
    ),
)
K06 = auth(
    "K06",
    ("Key file leaks", "鍵ファイルの漏えい"),
    ("it holds salted hashes and ids alone", "ソルト付きハッシュと ID だけを含む"),
)
K17 = auth(
    "K17",
    ("Default secrets", "既定のままの秘密"),
    (
        "the service does not start, says why in one line, and does not repeat the key",
        "起動せず理由を1行で示し、鍵は繰り返さない",
    ),
)
K19 = auth(
    "K19",
    ("Key file broken at start", "起動時に壊れた鍵ファイル"),
    ("the service does not start, and says why in one line", "起動せず、理由を1行で示す"),
)
XK2 = auth(
    "X-K2",
    ("Keys that are none", "鍵ではない値"),
    (
        "401, or 400 where there are two; never repeated, never 5xx",
        "401（2つあれば 400）。値を繰り返さず、5xx にもならない",
    ),
)


# Timing


def guesses(secret: bytes, shared: int, count: int, seed: int) -> list[bytes]:
    """Return keys of the right length that share leading bytes with a real one, and none after that."""
    draw = random.Random(seed)
    letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

    def other(place: int) -> int:
        letter = draw.choice(letters)
        return letter if letter != secret[place] else letters[(letters.index(letter) + 1) % len(letters)]

    return [secret[:shared] + bytes(other(place) for place in range(shared, len(secret))) for _ in range(count)]


def measured(ask: Callable[[bytes], object], tries: dict[int, list[bytes]]) -> dict[int, list[float]]:
    """Return how long each try took, all of them in a random order."""
    order = [(shared, guess) for shared, found in tries.items() for guess in found]
    random.Random(1).shuffle(order)
    for _, guess in order[:200]:
        ask(guess)
    took: dict[int, list[float]] = {shared: [] for shared in tries}
    for shared, guess in order:
        began = time.perf_counter()
        ask(guess)
        took[shared].append(time.perf_counter() - began)
    return took


def found_apart(took: dict[int, list[float]]) -> list[str]:
    """Return the pairs whose means can be told apart."""
    found = []
    for one, other in ((0, 8), (0, 31), (8, 31)):
        said = difference(took[one], took[other])
        if said.is_separable:
            found.append(f"{one} and {other}: {said.seconds * 1e9:.0f} ± {said.error * 1e9:.0f} ns")
    return found


def never_apart(ask: Callable[[bytes], object], secret: bytes, count: int) -> Outcome:
    """Say that tries cannot be told apart: what is found once must be found again with other tries, or it was chance."""
    for seed in range(3):
        tries = {shared: guesses(secret, shared, count, 10 * seed + shared) for shared in SHARED}
        took = measured(ask, tries)
        found = found_apart(took)
        if not found:
            mean = sum(map(sum, took.values())) / (3 * count)
            return Outcome(seen="not separable", figures={"tries": 3 * count, "mean_us": round(mean * 1e6, 2)})
    expect(False, "; ".join(found))
    raise AssertionError


@K03.attack("in-process", on="workshop", spares=("service",), seconds=60.0)
def _timed(target: Target) -> Outcome:
    secret, line = new_key("app")
    path = target.more["workshop"].place("timing") / "keys"
    path.write_text("\n".join([line, *(new_key(f"other-{number}")[1] for number in range(20))]))
    return never_apart(KeyRing(path).find, secret.encode(), 10_000)


@K03.attack("the-test-can-fail", on="workshop", spares=("service",), seconds=60.0)
def _planted(target: Target) -> Outcome:
    secret = new_key("app")[0].encode()

    def compare(guess: bytes) -> bool:
        return all(one == other for one, other in zip(guess, secret, strict=True))

    tries = {shared: guesses(secret, shared, 2_000, shared) for shared in SHARED}
    found = found_apart(measured(compare, tries))
    expect(len(found) == 3, f"a comparison letter by letter is not found: {found}")
    return Outcome(seen="separable, as it must be")


def _over_the_wire(count: int) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        secret = target.keys["admin"].encode()
        with target.connect() as connection:

            def ask(guess: bytes) -> None:
                connection.sendall(
                    b"GET %b HTTP/1.1\r\n%b\r\nX-API-Key: %b\r\n\r\n"
                    % (target.guarded.encode(), target.host_field, guess)
                )
                expect(one_answer(connection).status in {401, 429}, "a guess is let in")

            return never_apart(ask, secret, count)

    return run


K03.add("over-the-wire", _over_the_wire(1_000), needs=("ours", "key", "guarded"), seconds=60.0)
K03.add("over-the-wire-as-listed", _over_the_wire(10_000), needs=("ours", "key", "guarded"), seconds=300.0, slow=True)


# Rotation


@configuration("rotating", fresh=True)
def _rotating(workshop: Workshop) -> Iterator[Target]:
    """Four workers, and a key file that is about to change."""
    from tests.serving.conftest import serving

    folder = workshop.place("rotating")
    secret, line = new_key("old", ("predict", "metrics"))
    (folder / "keys").write_text(line + "\n")
    with serving(workshop.people, key_file=folder / "keys", workers=4, access_log_per_second=100_000) as running:
        running.key = secret
        target = target_of(running, questions_about_people(), key=secret, limits={**LIMITS, "workers": 4})
        target.more |= {"key-file": folder / "keys", "line": line}
        yield target


def replace(path: Path, content: str) -> None:
    """Replace a file at once, as an editor or an orchestrator does."""
    following = path.with_name("following")
    following.write_text(content)
    following.rename(path)


def accepted_everywhere(target: Target, key: str, *, tries: int = 24) -> list[int]:
    """Return the statuses of a key on as many connections, which the workers share."""
    return [target.ask("/predict", target.question.body, headers={"x-api-key": key}).status for _ in range(tries)]


def until_all(target: Target, key: str, statuses: set[int], seconds: float = 5.0) -> float:
    """Wait until every worker answers a key with one of these statuses; return how long it took."""
    began = time.monotonic()
    while not set(accepted_everywhere(target, key)) <= statuses:
        within((time.monotonic() - began) * 1000, seconds * 1000, f"not {statuses} everywhere")
    return time.monotonic() - began


@K05.attack("four-workers", on="rotating", spares=("service",), seconds=60.0)
def _rotated(target: Target) -> Outcome:
    path, old_line, old = target.more["key-file"], target.more["line"], target.headers["X-API-Key"]
    new, new_line = new_key("new", ("predict", "metrics"))
    refused: list[int] = []
    stop = threading.Event()
    current = [old]
    asked = [0]

    def ask() -> None:
        with contextlib.ExitStack() as stack:
            open_ones = [stack.enter_context(target.connect()) for _ in range(2)]
            while not stop.is_set():
                for connection in open_ones:
                    body = target.question.body
                    head = f"POST /predict HTTP/1.1\r\nX-API-Key: {current[0]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                    connection.sendall(head.encode() + target.host_field + b"\r\n\r\n" + body)
                    status = one_answer(connection).status
                    asked[0] += 1
                    if status != 200:
                        refused.append(status)
                time.sleep(0.005)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    held = [target.connect() for _ in range(8)]  # connections that know the old key, at any worker
    try:
        replace(path, f"# both\n{old_line}\n{new_line}\n")
        added = until_all(target, new, {200})
        expect(set(accepted_everywhere(target, old)) == {200}, "the old key is refused while both hold")
        for connection in held:
            connection.sendall(target.post())
            expect(one_answer(connection).status == 200, "the old key is refused on an open connection")
        current[0] = new
        time.sleep(0.3)
        replace(path, new_line)
        revoked = until_all(target, old, {401, 429})
        for connection in held:
            connection.sendall(target.post())
            expect(one_answer(connection).status in {401, 429}, "the old key holds on an open connection")
        for useless in ("garbage", "", f"{new_line}\n{new_line}"):
            replace(path, useless)
            time.sleep(0.7)
        path.unlink()
        time.sleep(0.7)
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
        for connection in held:
            connection.close()
    expect(not refused, f"{len(refused)} good requests were refused: {Counter(refused)}")
    expect(set(accepted_everywhere(target, new)) == {200}, "a file of no use ends the keys")
    target.headers["X-API-Key"] = new
    assert target.process is not None
    expect(
        any("stay as they were" in line for line in target.process.lines()),
        "the log does not say that the file is of no use",
    )
    return Outcome(
        seen="none refused", figures={"good": asked[0], "added_s": round(added, 2), "revoked_s": round(revoked, 2)}
    )


# The file


@K06.attack("file", needs=("ours", "key"))
def _file(target: Target) -> Outcome:
    (folder, *_) = run_folders(target)
    path = Path(json.loads((folder / "settings.json").read_text())["key_file"])
    check_content(path.read_text(), list(target.keys.values()))
    return Outcome(seen="salted hashes")


def run_folders(target: Target) -> set[Path]:
    """Return the folder that the processes of our service share."""
    assert target.process is not None
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in target.process.pids()]
    found = {Path(word) for command in commands for word in command.split("\0") if "sekisho-run-" in word}
    expect(found, "there is no folder that the processes share")
    return found


def check_content(content: str, secrets: list[str]) -> None:
    """Say that the content of a key file tells nothing of the keys."""
    for line in content.splitlines():
        expect(re.fullmatch(r"[\w.-]+:[a-z,]+:[0-9a-f]{32}\$[0-9a-f]{64}", line), f"a line is {line[:80]}")
    for secret in secrets:
        pieces = [secret[at : at + 6] for at in range(3, len(secret) - 6)]
        expect(not [piece for piece in pieces if piece in content], "a piece of a key stands in the file")
        for kind in ("md5", "sha1", "sha256", "sha512"):
            for spelled in (secret, secret[3:], secret + "\n"):
                expect(
                    hashlib.new(kind, spelled.encode()).hexdigest() not in content, f"a plain {kind} stands in the file"
                )
    salts = [line.rpartition(":")[2].partition("$")[0] for line in content.splitlines()]
    expect(len(set(salts)) == len(salts), "two keys share a salt")


@K06.attack("command", on="workshop", spares=("service",))
def _command(target: Target) -> Outcome:
    ended = subprocess.run(
        [sys.executable, "-m", "sekisho", "serve", "--new-key", "app", "--scope", "predict"],
        capture_output=True,
        text=True,
        check=True,
    )
    secret = ended.stderr.split()[-1]
    check_content(ended.stdout, [secret])
    expect(secret not in ended.stdout, "the key goes to standard output")
    folder = target.more["workshop"].place("made")
    (folder / "keys").write_text(ended.stdout)
    found = KeyRing(folder / "keys").find(secret.encode())
    expect(found is not None and found.scopes == {"predict"}, "the key that was shown is not that of the line")
    return Outcome(seen="the key is shown once, and written nowhere")


@K06.attack("run-folder", needs=("ours", "key"))
def _run_folder(target: Target) -> Outcome:
    assert target.process is not None
    for folder in run_folders(target):
        expect(folder.stat().st_mode & 0o077 == 0, f"others may look into it: {folder.stat().st_mode:o}")
        for file in folder.rglob("*"):
            content = file.read_bytes() if file.is_file() else b""
            for secret in target.keys.values():
                expect(secret.encode() not in content, f"a key stands in {file.name}")
    for pid in target.process.pids():
        shown = Path(f"/proc/{pid}/cmdline").read_bytes()
        expect(not [one for one in target.keys.values() if one.encode() in shown], "a key stands on a command line")
    return Outcome(seen="nowhere")


def plain_line(key: str) -> str:
    return f"app:predict:{hashlib.sha256(key.encode()).hexdigest()}"


WEAK = {
    "changeme": "changeme",
    "admin": "admin",
    "empty": "",
    "four-letters": "ab1z",
    "four-digits": "4711",
    "password": "password",
    "capital": "Changeme",
    "shouted": "ADMIN",
    "numbered": "secret123",
    "sekisho": "sekisho",
    "example": "your-api-key",
    "zeros": "0" * 32,
}
for name, word in WEAK.items():

    @K17.attack(f"hash-of-{name}", on="workshop", spares=("service",))
    def _weak(target: Target, word: str = word) -> Outcome:
        path = target.more["workshop"].place("weak") / "keys"
        path.write_text(plain_line(word) + "\n")
        line = refused_by_serve(target, path)
        expect(
            len(word) < 4 or word not in line.replace(str(path), "").replace("sekisho serve", ""), "it repeats the key"
        )
        return Outcome(seen=line[:120])

    @K17.attack(f"plain-{name}", on="workshop", spares=("service",))
    def _plain(target: Target, word: str = word) -> Outcome:
        path = target.more["workshop"].place("weak") / "keys"
        path.write_text(f"app:predict:{word}\n")
        line = refused_by_serve(target, path)
        path.write_text("app:predict:Xq7-another-word\n")
        expect(line == refused_by_serve(target, path), "what it says depends on the key")
        return Outcome(seen=line[:120])


@K17.attack("in-a-real-start", on="workshop", spares=("service",))
def _really(target: Target) -> Outcome:
    path = target.more["workshop"].place("weak") / "keys"
    path.write_text(plain_line("changeme"))
    return Outcome(
        seen=refused_start(target.more["workshop"].iris, key_file=path, says="everybody knows", never="changeme")[:120]
    )


@K17.attack("short-keys-open-nothing", on="workshop", spares=("service",))
def _short(target: Target) -> Outcome:
    path = target.more["workshop"].place("weak") / "keys"
    path.write_text(plain_line("Zq9#fedcba98765"))
    expect(KeyRing(path).find(b"Zq9#fedcba98765") is None, "15 letters are a key")
    return Outcome(seen="401")


def refused_by_serve(target: Target, path: Path) -> str:
    """Return in what words our service refuses a key file; nothing is bound before that."""
    import sekisho
    from sekisho.errors import NotFound, WrongUse

    try:
        sekisho.serve(target.more["workshop"].iris, key_file=path, port=0)
    except (WrongUse, NotFound) as error:
        said = str(error)
        expect("\n" not in said and len(said) < 400, f"it says {said[:500]}")
        expect(error.what.ja != error.what.en, "it says so in one language only")
        return said
    raise AssertionError("it serves")


def _open_to_all(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o666)


def broken(path: Path) -> dict[str, Callable[[], object]]:
    """Return what makes a key file useless, by name."""
    good = new_key("app")[1]
    return {
        "missing": lambda: None,
        "empty": lambda: path.write_text(""),
        "comments-alone": lambda: path.write_text("# nothing\n\n"),
        "garbage": lambda: path.write_text("garbage"),
        "binary": lambda: path.write_bytes(os.urandom(4_096)),
        "cut-off": lambda: path.write_text(good[:-7]),
        "a-line-of-garbage": lambda: path.write_text(f"{good}\ngarbage\n"),
        "unknown-scope": lambda: path.write_text(good.replace(":predict:", ":root:")),
        "an-id-twice": lambda: path.write_text(f"{good}\n{new_key('app')[1]}\n"),
        "a-key-twice": lambda: path.write_text(f"{good}\n{good.replace('app:', 'other:')}\n"),
        "folder": path.mkdir,
        "device": lambda: path.symlink_to("/dev/zero"),
        "loop": lambda: path.symlink_to(path),
        "utf-16": lambda: path.write_text(good, encoding="utf-16"),
        "huge": lambda: path.write_text(f"{good}\n" * 50_000),
        "everybody-may-change-it": lambda: _open_to_all(path, good),
    }


for name in broken(Path("/nowhere")):

    @K19.attack(name, on="workshop", spares=("service",))
    def _broken(target: Target, name: str = name) -> Outcome:
        path = target.more["workshop"].place("broken") / "keys"
        broken(path)[name]()
        began = time.monotonic()
        line = refused_by_serve(target, path)
        within((time.monotonic() - began) * 1000, 5_000, "the refusal")
        return Outcome(seen=line[:120])


@K19.attack("in-a-real-start", on="workshop", spares=("service",))
def _really_broken(target: Target) -> Outcome:
    path = target.more["workshop"].place("broken") / "keys"
    return Outcome(seen=refused_start(target.more["workshop"].iris, key_file=path, says="no such key file")[:120])


# What is no key


NONE: dict[str, list[bytes]] = {
    "empty": [b"X-API-Key:"],
    "blank": [b"X-API-Key:   "],
    "wrong": [b"X-API-Key: sk_" + b"x" * 54],
    "one-letter-less": [b"X-API-Key: {less}"],
    "one-letter-more": [b"X-API-Key: {key}x"],
    "with-a-tail": [b"X-API-Key: {key}, {key}"],
    "quoted": [b'X-API-Key: "{key}"'],
    "other-case": [b"X-API-Key: {swapped}"],
    "percent-coded": [b"X-API-Key: {coded}"],
    "latin-1": [b"X-API-Key: sk_\xe9\xff" + b"x" * 40],
    "utf-8": ["X-API-Key: sk_鍵鍵鍵".encode()],
    "full-width": ["X-API-Key: ｓｋ＿".encode()],
    "8-KB": [b"X-API-Key: " + b"k" * 8_000],
    "64-KB": [b"X-API-Key: " + b"k" * 65_000],
    "null": [b"X-API-Key: null"],
    "true": [b"X-API-Key: true"],
    "list": [b"X-API-Key: ['{key}']"],
    "injection": [b"X-API-Key: ' OR 1=1 --"],
    "star": [b"X-API-Key: *"],
    "hash-of-it": [b"X-API-Key: {hash}"],
    "two-wrong": [b"X-API-Key: a", b"X-API-Key: b"],
    "wrong-then-good": [b"X-API-Key: a", b"X-API-Key: {key}"],
    "good-then-wrong": [b"X-API-Key: {key}", b"X-API-Key: a"],
    "two-good": [b"X-API-Key: {key}", b"X-API-Key: {key}"],
    "wrong-and-good-bearer": [b"X-API-Key: a", b"Authorization: Bearer {key}"],
    "empty-and-good-bearer": [b"X-API-Key:", b"Authorization: Bearer {key}"],
    "two-authorizations": [b"Authorization: Bearer a", b"Authorization: Bearer {key}"],
}


def _none(lines: list[bytes]) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        key = target.keys["admin"]
        hashed = hashlib.sha256(key.encode()).hexdigest()
        words = {
            "key": key,
            "less": key[:-1],
            "swapped": key.swapcase(),
            "hash": hashed,
            "coded": key.replace("_", "%5F", 1),
        }
        fields = list(lines)
        for name, word in words.items():
            fields = [one.replace(b"{%b}" % name.encode(), word.encode()) for one in fields]
        data = b"\r\n".join(
            [f"GET {target.guarded} HTTP/1.1".encode(), target.host_field, *fields, b"Connection: close"]
        )
        with somewhere(target) as connection:
            connection.sendall(data + b"\r\n\r\n")
            received = read_all(connection)
        expect(len(received.answers) == 1 and received.statuses[0] in {400, 401, 431}, f"{received.statuses}")
        expect(key[3:] not in received.data.decode("latin-1"), "the key comes back")
        return Outcome(seen=f"{received.statuses[0]} {received.answers[0].code}")

    return run


_PLACES = iter(range(1, 2**16))


def somewhere(target: Target) -> socket.socket:
    """Return a connection from an address that nobody has guessed from yet, where the service is on this machine."""
    if target.host != "127.0.0.1":
        return target.connect()
    number = next(_PLACES)
    return socket.create_connection((target.host, target.port), 20, (f"127.2.{number >> 8}.{number & 255}", 0))


for name, lines in NONE.items():
    XK2.add(name, _none(lines), needs=("ours", "key", "guarded"))
