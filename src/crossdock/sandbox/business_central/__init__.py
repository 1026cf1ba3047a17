# SPDX-License-Identifier: Apache-2.0
"""A simulated Dynamics 365 Business Central environment: API v2.0 and the API page of Crossdock's AL extension, with
sign-in, limits and webhooks."""

from crossdock.sandbox.business_central.simulator import BusinessCentralConfig, BusinessCentralSim

__all__ = ["BusinessCentralConfig", "BusinessCentralSim"]
