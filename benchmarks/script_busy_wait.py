"""Contender: the tutorial that every search finds: RPi.GPIO, and a loop around each edge.

Like its models it has no time limit: a part that misses one trigger hangs it for ever.
"""

import time

from RPi import GPIO

TRIGGER, ECHO, BUZZER = 23, 24, 18

GPIO.setmode(GPIO.BCM)
GPIO.setup(TRIGGER, GPIO.OUT, initial=GPIO.LOW)
GPIO.setup(ECHO, GPIO.IN)
GPIO.setup(BUZZER, GPIO.OUT, initial=GPIO.LOW)


def distance_cm() -> float:
    """One ping."""
    GPIO.output(TRIGGER, True)
    time.sleep(0.00001)
    GPIO.output(TRIGGER, False)
    start = stop = time.time()
    while GPIO.input(ECHO) == 0:
        start = time.time()
    while GPIO.input(ECHO) == 1:
        stop = time.time()
    return (stop - start) * 34300 / 2


try:
    while True:
        GPIO.output(BUZZER, distance_cm() < 100)
        time.sleep(0.06)
finally:
    GPIO.cleanup()
