"""The command line: one thin module a command, whose large imports wait until the command runs.

Each has `HELP`, a line for the list of commands, ``add_arguments(command)`` and ``main(arguments) -> exit status``.
"""
