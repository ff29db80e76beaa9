"""Trains everything in order, each to its end; goes on where it was stopped.

    python train.py [NAME...]     # default: all of them
"""
import subprocess
import sys
from pathlib import Path

ORDER = ('vae', 'text', 'flux', 'portrait', 'motion', 'clip b', 'clip l', 'judge')


def main():
    for name in sys.argv[1:] or ORDER:
        first, *rest = name.split()
        script = Path(__file__).with_name(f'train_{first}.py')
        print('training', name, flush=True)
        subprocess.run([sys.executable, str(script), *rest], check=True)


if __name__ == '__main__':
    main()
