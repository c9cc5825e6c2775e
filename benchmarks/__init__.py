"""Measurements of rearguard beside gpiozero's own DistanceSensor; see README.md here."""
