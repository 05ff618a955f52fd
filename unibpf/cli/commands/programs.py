"""`unibpf push|verify|sign|run`: one program, to the guests, to the verifier, under a signature, or to packets here."""

from pathlib import Path
from typing import Annotated

import typer

from unibpf.cli.options import (
    DEFAULT_WAIT,
    Constants,
    Engine,
    InnerMaps,
    Json,
    MaxEntries,
    ProgramKind,
    Tails,
    Timeout,
    a_program,
    an_audience,
    an_element_or_any,
    an_identity,
    command_group,
)
from unibpf.cli.output import Failed, emit_json

app = command_group()


@app.command()
def push(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An ELF object, or C that clang compiles.")],
    program: Annotated[
        str | None,
        typer.Option(callback=a_program, help="Its name on the bus (default: the file's, or program*.c's folder's)."),
    ] = None,
    audience: Annotated[str, typer.Option(callback=an_audience, help="Guest class.")] = "edge",
    element: Annotated[str, typer.Option(callback=an_element_or_any, help="Only this element.")] = "*",
    section: Annotated[str | None, typer.Option(help="ELF section, when the object holds several programs.")] = None,
    function: Annotated[str | None, typer.Option(help="Function, likewise.")] = None,
    kind: ProgramKind = None,
    tail: Tails = None,
    const: Constants = None,
    max_entries: MaxEntries = None,
    inner: InnerMaps = None,
    map_wish: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME=reset|keep", help="What becomes of a map at the swap (default: keep)."),
    ] = None,
    probation: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS", help="How guests watch it: time=SECONDS,packets=N,share=N,aborted (any of them)."
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(min=1, max=999_999_999_999, help="Refuse it where a packet may cost more instructions."),
    ] = None,
    identity: Annotated[str, typer.Option(callback=an_identity, help="Whose key to use.")] = "cli",
    define: Annotated[list[str] | None, typer.Option("-D", help="NAME=VALUE for the C compiler.")] = None,
    wait: Annotated[bool, typer.Option(help="Follow it until the guests run it.")] = False,
    settle: Annotated[
        bool, typer.Option("--settle", help="And until their probation is over: `rolled back` is a failure then.")
    ] = False,
    timeout: Timeout = DEFAULT_WAIT,
    json: Json = False,
) -> None:
    """Publish a program; the pipeline verifies, signs and swaps it into the running guests."""
    from unibpf.cli import push as push_words
    from unibpf.cli.inputs.program_file import (
        default_program_name,
        load_object,
        parsed_loading,
        parsed_probation,
        parsed_wishes,
    )
    from unibpf.cli.reports.text import print_report
    from unibpf.cli.session import run
    from unibpf.client import push as pushing
    from unibpf.client.session import open_bus
    from unibpf.client.waiting import Outcome

    request = pushing.Push(
        program=a_program(program or default_program_name(file)) or "",
        data=load_object(file, define or []),
        audience=audience,
        element=element,
        section=section,
        function=function,
        kind=kind,
        budget=budget,
        loading=parsed_loading(tails=tail, constants=const, max_entries=max_entries, inner_maps=inner),
        maps=parsed_wishes(map_wish),
        probation=parsed_probation(probation),
    )

    outcome = Outcome(program=request.program)

    async def work() -> None:
        async with open_bus(identity) as bus:
            seconds = timeout if wait or settle else None
            await pushing.push_and_follow(bus, request, outcome, seconds=seconds, settle=settle)

    try:
        run(work())
    except Failed as failed:
        raise push_words.unfinished(outcome, failed) from failed
    push_words.say(outcome)
    if outcome.report is not None:
        print_report(outcome.report)
    failure = push_words.failure(outcome)
    if failure is not None:
        raise failure
    if json:
        emit_json(outcome)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def verify(context: typer.Context) -> None:
    """Verify a program without a bus: 0 safe, 1 unsafe, 2 bad input, 3 unsupported, 4 gave up."""
    from unibpf.cli import verify as verifying

    raise SystemExit(verifying.main(context.args))


@app.command("run")
def run_program(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An ELF object, or C that clang compiles.")],
    section: Annotated[str | None, typer.Option(help="ELF section, when the object holds several programs.")] = None,
    function: Annotated[str | None, typer.Option(help="Function, likewise.")] = None,
    program: Annotated[str | None, typer.Option(hidden=True)] = None,  # what `--function` was called before
    kind: ProgramKind = None,
    tail: Tails = None,
    const: Constants = None,
    max_entries: MaxEntries = None,
    inner: InnerMaps = None,
    engine: Annotated[
        Engine, typer.Option(help="The interpreter checks all; jit takes only safe programs.")
    ] = "interpreter",
    packet: Annotated[list[str] | None, typer.Option(help="HEX; may be given again (default: 64 zero bytes).")] = None,
    pcap: Annotated[Path | None, typer.Option(help="A capture whose packets follow.")] = None,
    pcap_out: Annotated[
        Path | None, typer.Option(help="A capture of the packets that leave: passed, sent back, redirected, to a port.")
    ] = None,
    define: Annotated[list[str] | None, typer.Option("-D", help="NAME=VALUE for the C compiler.")] = None,
    map_entry: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME:KEY=VALUE", help="An entry of a map at first, as for `map set`."),
    ] = None,
    maps_from: Annotated[Path | None, typer.Option(help="Entries as JSON, as `--maps --json` prints them.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each packet; the last is shown, ns is the mean.")] = 1,
    maps: Annotated[bool, typer.Option("--maps", help="Also the maps after the last packet.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a packet on stdout.")] = False,
) -> None:
    """Run a program on packets here, with the guest's own engines: no bus, no guest."""
    from unibpf.cli.inputs.program_file import parsed_loading
    from unibpf.cli.run import Run, run

    wanted = Run(
        file=file,
        section=section,
        function=function or program,
        kind=kind,
        loading=parsed_loading(tails=tail, constants=const, max_entries=max_entries, inner_maps=inner),
        engine=engine,
        packets=packet or [],
        capture=pcap,
        capture_out=pcap_out,
        defines=define or [],
        map_words=map_entry or [],
        maps_from=maps_from,
        repeat=repeat,
        maps=maps,
        json=json,
    )
    run(wanted)


@app.command()
def sign(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What will be published, byte for byte.")],
    program: Annotated[
        str | None, typer.Option(callback=a_program, help="Its name on the bus (default: the file's).")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Another subject than that of an upload, as `unibpf.v1.guest.apply.fw1`.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="NAME:VALUE", help="A header that goes with it.")
    ] = None,
    identity: Annotated[str, typer.Option(callback=an_identity, help="Whose key to use.")] = "cli",
    json: Json = False,
) -> None:
    """Print the header by which FILE is signed: `nats pub SUBJECT -H "$(unibpf sign FILE)" < FILE`, within 30 seconds."""
    from unibpf.cli.inputs.program_file import default_program_name
    from unibpf.cli.inputs.signing import Header, signed_header

    name = a_program(program or default_program_name(file)) if subject is None else None
    found: Header = signed_header(file, identity, name, subject, header or [])
    if json:
        emit_json(found)
    else:
        print(found.line)
