"""The command line. Configurations are validated before torch is imported.

Exit status: 0 on success; 2 for bad input or configuration, with one line on stderr and nothing
written; 1 for a run that failed (a non-finite loss); 128 + signal for one that was interrupted
(it is saved and can be resumed).
"""

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from seqgan import __version__
from seqgan.core.errors import Terminated, UserError
from seqgan.core.numbers import LARGEST_SEED, MOST_ROWS, check_sampling

if TYPE_CHECKING:
    from seqgan.experiment import Experiment
    from seqgan.runs.saved import SavedRun

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"seqgan {__version__}")
        raise typer.Exit()


@app.callback()
def seqgan(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print it and exit."),
    ] = False,
) -> None:
    """Adversarial sequence generation: train, compare and report."""


Overrides = Annotated[list[str] | None, typer.Argument(help="Dotted overrides such as seed=1.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps; default: the run's own.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]


@app.command()
def train(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="CONFIG [a.b=c …]", help="A YAML file, then dotted overrides."),
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue this run folder.")] = None,
) -> None:
    """Train a run; the last line of stdout is its folder."""
    words = arguments or []
    if resume is not None:
        from seqgan.experiment import load_resumed

        resumed = load_resumed(resume, words)
        from seqgan.runs.train import resume as resume_run

        print(resume_run(resumed, resume).folder)
        return
    if not words or "=" in words[0]:
        raise UserError("train: needs CONFIG.yaml (then overrides), or --resume RUN")
    from seqgan.experiment import load_experiment

    experiment = load_experiment(Path(words[0]), words[1:])
    from seqgan.runs.train import train as train_run

    print(train_run(experiment).folder)


@app.command()
def evaluate(
    run: RunFolder,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[a.b=c …]", help="Such as evaluation.samples=10000."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    sweep: Annotated[bool, typer.Option(help="Sweep temperature and top-p.")] = False,
    device: Device = None,
) -> None:
    """Evaluate the selected checkpoint on test data.

    Of sentences also on features of a language model; and what the critic is worth as a correction.
    """
    from seqgan.experiment import load_evaluated

    asked = [*(overrides or []), *(["evaluation.sweep=true"] if sweep else [])]
    experiment = load_evaluated(run, asked + ([f"device={device}"] if device else []))
    from seqgan.runs.evaluate import evaluate_run
    from seqgan.runs.messages import report_result

    result = evaluate_run(experiment, run, overrides=overrides or [])
    report_result(result)
    if as_json:
        print(json.dumps(result, indent=1, ensure_ascii=False))
        return
    from seqgan.reporting.terminal import print_correction, print_rows

    print_rows(result["rows"])
    print_correction(result["correction"])


def _load_run(run: Path, device: str | None) -> "Experiment":
    """A run's configuration, perhaps on another device than it was trained on."""
    from seqgan.experiment import load_run

    return load_run(run, [f"device={device}"] if device else [])


def _open(experiment: "Experiment", run: Path) -> "SavedRun":
    """The run; stderr says where in training it is from."""
    from seqgan.runs.messages import report_checkpoint
    from seqgan.runs.saved import SavedRun

    opened = SavedRun(experiment, run)
    report_checkpoint(opened.checkpoint)
    return opened


@app.command()
def sample(
    run: RunFolder,
    n: Annotated[int, typer.Option("-n", min=1, max=MOST_ROWS, help="Samples.")] = 10,
    temperature: Annotated[float, typer.Option(help="Above 0.")] = 1.0,
    top_p: Annotated[float, typer.Option(help="Nucleus mass, above 0, at most 1.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED)] = 0,
    format: Annotated[
        str | None, typer.Option(help="text, ids or jsonl; png for pictures.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Default: stdout; of pictures a file in RUN."
        ),
    ] = None,
    correct: Annotated[
        str | None,
        typer.Option(metavar="exact|N", help="As the critic corrects them: exactly, or 1 of N."),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="Caption of all pictures, such as 'long blue hair, glasses'."),
    ] = None,
    device: Device = None,
) -> None:
    """Write samples of a run, one per line; pictures as one sheet. Prints the name of a file."""
    check_sampling(temperature, top_p)
    if format not in (None, "text", "ids", "jsonl", "png"):
        raise UserError(f"--format={format!r}: choose from: text, ids, jsonl, png")
    experiment = _load_run(run, device)
    from seqgan.runs.sample_output import write_samples

    format = format or ("png" if experiment.data.modality == "pictures" else "text")
    asked = n, temperature, top_p, seed, format, output, correct, prompt
    print("\n".join(write_samples(_open(experiment, run), *asked)))


@app.command()
def transform(
    run: RunFolder,
    input: Annotated[
        Path, typer.Option(metavar="FILE|-|FOLDER", help="Text, - for stdin, or pictures.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE|FOLDER", help="Where translations go; text: default stdout."),
    ] = None,
    direction: Annotated[
        str | None, typer.Option(help="a2b or b2a; default: what was trained, a2b before b2a.")
    ] = None,
    beam: Annotated[int, typer.Option(min=1, help="Hypotheses kept; 1: greedy. Text.")] = 1,
    length: Annotated[int | None, typer.Option(min=1, help="Tokens a line. Text.")] = None,
    device: Device = None,
) -> None:
    """Translate text, line by line, or a folder of pictures, with a cycle run; answer prompts."""
    from seqgan.experiment import check_direction

    experiment = _load_run(run, device)
    direction = check_direction(experiment, run, direction)
    if experiment.data.modality != "picture_pair":
        from seqgan.core.saved_files import check_output
        from seqgan.runs.transform_lines import transform_lines

        if output is not None:
            check_output(output)
        translator = _open(experiment, run).translator(direction, beam, length)
        transform_lines(translator, input, output)
        return
    if output is None:
        raise UserError("--output: missing; name a folder for the pictures")
    if output.is_file():
        raise UserError(f"--output={str(output)!r}: is a file; name a folder")
    if beam != 1 or length is not None:
        option = f"--beam={beam}" if beam != 1 else f"--length={length}"
        raise UserError(f"{option}: pictures have no tokens; leave it out")
    from seqgan.runs.transform_pictures import transform_folder

    count = transform_folder(_open(experiment, run), input, output, direction or "a2b")
    print(f"{count} pictures in {output}", file=sys.stderr)


@app.command()
def compare(
    study: Annotated[Path, typer.Argument(metavar="STUDY.yaml")],
    jobs: Annotated[int, typer.Option(min=1, help="Runs side by side.")] = 1,
    dir: Annotated[Path | None, typer.Option(help="Study folder; default runs/<name>.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="a.b=c", help="Override in every arm.")
    ] = None,
    arms: Annotated[
        list[str] | None, typer.Option("--arm", metavar="NAME", help="Only this arm; repeatable.")
    ] = None,
    seeds: Annotated[
        list[int] | None, typer.Option("--seed", metavar="N", help="This seed instead; repeatable.")
    ] = None,
) -> None:
    """Run every arm with every seed, then print one table and write one report."""
    from seqgan.comparison import compare as compare_study
    from seqgan.comparison import print_comparison

    done = compare_study(study, dir, jobs, assignments or [], arms or [], seeds or [])
    print_comparison(done)
    for failure in done.failures:
        print(f"error: {failure}", file=sys.stderr)
    print(done.report)
    if done.failures:
        raise SystemExit(1)


@app.command()
def probe(
    source: Annotated[Path, typer.Argument(metavar="CONFIG|RUN", help="A YAML file, or a run.")],
    overrides: Overrides = None,
    samples: Annotated[int | None, typer.Option(min=40, help="Estimates of each kind.")] = None,
    dir: Annotated[
        Path | None, typer.Option(help="Of probe.json and probe.png; default runs/<name>-probe.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure gradient estimators at the same parameters: bias, variance, cost, critic's signal."""
    from seqgan.probe.command import probe_command

    asked = [] if samples is None else [f"probe.samples={samples}"]
    folder, found = probe_command(source, dir, [*(overrides or []), *asked])
    if as_json:
        from seqgan.core.saved_files import to_json

        print(json.dumps(to_json(found), indent=1))
        return
    from seqgan.reporting.terminal import print_probe

    print_probe(found)
    print(folder)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.html")],
) -> None:
    """Write one self-contained HTML report on any run folders."""
    from seqgan.reporting.html import write_report

    write_report(runs, output)
    print(output)


@app.command()
def config(
    path: Annotated[Path, typer.Argument(metavar="CONFIG.yaml")], overrides: Overrides = None
) -> None:
    """Print the resolved configuration with each field's documentation; do nothing else."""
    from seqgan.core.config import describe
    from seqgan.experiment import load_experiment

    print("\n".join(describe(load_experiment(path, overrides or []))))


@app.command()
def lecture(
    number: Annotated[int | None, typer.Argument(metavar="[N]", help="An idea's number.")] = None,
    dir: Annotated[
        Path | None, typer.Option(help="Of its trainings and pictures; default runs/lecture-N.")
    ] = None,
) -> None:
    """Play an idea of the lectures: what it measures, and its picture. Without N: list them all."""
    if number is None:
        if dir is not None:
            raise UserError(f"--dir={str(dir)!r}: is for one idea; give its number")
        from seqgan.lectures.listing import list_lines

        print("\n".join(list_lines()))
        return
    from seqgan.lectures.command import lecture_command

    print("\n".join(lecture_command(number, dir)))


@app.command()
def score(
    hyp: Annotated[Path, typer.Option(help="Generated sentences, one per line.")],
    ref: Annotated[Path | None, typer.Option(help="Reference sentences.")] = None,
    train: Annotated[Path | None, typer.Option(help="Training sentences, for in_train.")] = None,
    metrics: Annotated[
        str,
        typer.Option(help="Comma-separated: bleu, self_bleu, distinct, in_train, length, rouge."),
    ] = "bleu,self_bleu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score a file of sentences."""
    from seqgan.metrics.score import score_files

    result = score_files(hyp, ref, train, [name.strip() for name in metrics.split(",")])
    if as_json:
        print(json.dumps(result, indent=1))
        return
    for row, values in result.items():
        for name, value in values.items():
            parts = value.items() if isinstance(value, dict) else [("", value)]
            for order, number in parts:
                shown = f"{number:.6f}" if isinstance(number, float) else number
                print(f"{row}\t{name}{'_' if order else ''}{order}\t{shown}")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit. Never a traceback for what a user can mend.

    Text goes out in UTF-8 whatever the locale says: it is what comes in. Names of files that are
    not UTF-8 go out as the bytes they are.
    """
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status."""
    command = typer.main.get_command(app)
    try:
        status = command.main(args=arguments, prog_name="seqgan", standalone_mode=False)
    except UserError as error:
        return _fail(str(error), 2)
    except typer.TyperException as error:  # typer's own click: bad arguments and options
        return _fail(f"{error.format_message().rstrip('.')}; see --help", 2)
    except OSError as error:  # a folder that cannot be written, a full disk
        return _fail(f"{error.filename or 'file system'}: {error.strerror or error}", 2)
    except typer.Abort as abort:
        if isinstance(abort.__cause__, EOFError):  # typer takes a bug of ours for Ctrl-D
            raise abort.__cause__ from None
        return _fail("interrupted", 130)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except Terminated:
        return _fail("terminated", 143)
    except SystemExit as exit_:
        return int(exit_.code or 0)
    except Exception as error:
        return _training_failure(error)
    return status if isinstance(status, int) else 0


def _training_failure(error: Exception) -> int:
    """Failures of training have their own exit status; anything else is a bug and shows itself."""
    if "seqgan.training.trainer" in sys.modules:
        from seqgan.training.player import NonFiniteError
        from seqgan.training.trainer import Interrupted

        if isinstance(error, NonFiniteError):
            return _fail(str(error), 1)
        if isinstance(error, Interrupted):
            return _fail(f"{error}: saved; {error.remedy}", 128 + error.number)
    if _is_about_memory(error):
        return _fail(
            "not enough memory; lower train.batch_size, the sizes of the networks (hidden, embed, "
            "width, layers), data.length, data.train or evaluation.samples",
            2,
        )
    raise error


_NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "Storage size calculation overflowed",
    "integer multiplication overflow",
    "exceeds the range of valid memory",
)


def _is_about_memory(error: Exception) -> bool:
    """Whether torch, NumPy or Python found no room, or knew beforehand that there is none."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY)


def _fail(message: str, status: int) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
