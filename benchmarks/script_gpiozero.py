"""Contender: gpiozero's documentation typed in, on the pins that gpiozero chooses by itself."""

from signal import pause

from gpiozero import Buzzer, DistanceSensor

sensor = DistanceSensor(echo=24, trigger=23, max_distance=4, threshold_distance=1.0)
buzzer = Buzzer(18)

sensor.when_in_range = buzzer.on
sensor.when_out_of_range = buzzer.off

pause()
