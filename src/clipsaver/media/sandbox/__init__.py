"""What runs in the child process that looks at a video; nothing here may be imported by the bot but ``wire``.

Its modules use the standard library, PyAV and Pillow only: what the bot needs would cost every child its start.
"""
