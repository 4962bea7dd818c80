"""Build the browser player into the package: `make web`.

    python scripts/build_web.py

Needs node and npm (for Vite, TypeScript and hls.js, by `npm ci`) and ziglang from PyPI (the extra
`dev`). What is built already from the same sources is left as it is.
"""

import hashlib
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
WEB = ROOT / "web"
BUILT = ROOT / "src" / "upreel" / "server" / "built"
KERNELS = {"kernel8.wasm": ["-DRELAXED", "-mrelaxed-simd"], "kernel16.wasm": []}
FOLDERS = ("kernel", "src", "tests")
STAMP = WEB / "build" / "sources"


def fingerprint() -> str:
    """Hash of all sources."""
    files = [path for folder in FOLDERS for path in (WEB / folder).rglob("*") if path.is_file()]
    files += [path for path in WEB.iterdir() if path.is_file()]
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(files):
        digest.update(str(path.relative_to(WEB)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def run(command: list[str]) -> None:
    """Run a command within `web/`; end with its exit code if it fails."""
    done = subprocess.run(command, cwd=WEB, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def compile_kernels() -> None:
    """`web/public/kernel8.wasm` and `kernel16.wasm`, by zig's clang: no toolchain of the system."""
    folder = WEB / "public"
    folder.mkdir(exist_ok=True)
    for name, options in KERNELS.items():
        run([
            *(sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding"),
            *("-O3", "-std=c11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-nostdlib"),
            *("-msimd128", *options, "-Wl,--no-entry", "-Wl,--strip-all"),
            *("-o", str(folder / name), "kernel/kernel.c"),
        ])  # fmt: skip


def main() -> int:
    """Build it; return the exit code."""
    if shutil.which("npm") is None:
        print("the browser player needs node: apt-get install nodejs npm", file=sys.stderr)
        return 1
    if find_spec("ziglang") is None:
        print("no compiler for WebAssembly: pip install ziglang==0.17.1", file=sys.stderr)
        return 1
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted and (BUILT / "player.js").exists():
        return 0
    lock = WEB / "node_modules" / ".package-lock.json"
    if not lock.exists() or lock.stat().st_mtime < (WEB / "package-lock.json").stat().st_mtime:
        run(["npm", "ci", "--no-audit", "--no-fund"])
    compile_kernels()
    for name in sorted((WEB / "tests").glob("run_*.ts")):
        run([
            *("npx", "--no-install", "rolldown", str(name), "--platform", "node"),
            *("--external", "playwright-core", "--external", "onnxruntime-web"),
            *("-o", f"build/{name.stem}.mjs"),
        ])  # fmt: skip
    run(["npx", "--no-install", "vite", "build"])
    STAMP.parent.mkdir(exist_ok=True)
    STAMP.write_text(wanted)
    num_bytes = sum(path.stat().st_size for path in BUILT.iterdir())
    print(f"{BUILT.relative_to(ROOT)}: {num_bytes} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
