"""What is recorded, observed and handed on, as frozen values: releases, journal, evidence, names. Pure."""
